"""Which adapter serves each port and how it stands; and one adapter whole."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kitchen_daemon.adapter_models import GOOD, AdapterInfo, AdaptersInfo, OptionInfo, PortUse
from kitchen_tui.cli.views.style import NARROW, facts, heading, plain_table, shown


def adapters_page(info: AdaptersInfo, width: int) -> Group:
    """A manifest's ports, a line each, and below them what to do where one can't be used."""
    return Group(*_adapters(info, width))


def adapter_page(adapter: AdapterInfo) -> Group:
    """One adapter: where it comes from, what it needs, its options."""
    return Group(*_adapter(adapter))


def _adapters(info: AdaptersInfo, width: int) -> Iterator[RenderableType]:
    yield _ports(info.ports, width)
    hints = dict.fromkeys(use.hint for use in info.ports if use.adapter and use.hint)
    if hints:
        yield Text()
    for hint in hints:
        yield Text(f"hint: {hint}")
    if info.broken:
        yield heading("Installed, but can't be used")
        yield facts((each.name, f"{each.reason} ({each.origin})") for each in info.broken)
    yield Text("\nMore about one: kitchen adapters show NAME", style="dim")


def _ports(ports: list[PortUse], width: int) -> Table:
    table = plain_table("port", "adapter")
    table.add_column("state", overflow="fold", ratio=1)
    if width >= NARROW:
        table.add_column("others", overflow="fold")
    for use in ports:
        cells = [Text(use.port, style="bold"), use.adapter or "–", _state(use)]
        table.add_row(*cells, *([", ".join(use.others)] if width >= NARROW else []))
    return table


def _state(use: PortUse) -> Text:
    match use.state:
        case "unserved":
            return Text("no adapter", style="dim")
        case "reachable":
            return Text(f"✓ {use.detail}", style="green")
        case state if state in GOOD:
            said = "ready" if state == "ready" else "nothing to ask"
            text = Text(f"✓ {said}", style="green")
            return text.append(f", {use.detail}" if use.detail else "", style="dim")
        case state:
            return Text(f"✗ {state}: {use.detail}", style="red")


def _adapter(adapter: AdapterInfo) -> Iterator[RenderableType]:
    yield Text.assemble((adapter.name, "bold"), f"  {adapter.summary}")
    yield facts(_about(adapter))
    if adapter.options:
        yield heading("Options")
        yield facts((option.name, _option(option, adapter)) for option in adapter.options)
        port, option = adapter.ports[0], adapter.options[0].name
        yield Text(
            f"\nIn a manifest under [ports.{port}], or for one run: --adapter {port}.{option}=...",
            style="dim",
        )


def _about(adapter: AdapterInfo) -> Iterator[tuple[str, str]]:
    yield "ports", ", ".join(adapter.ports)
    yield "from", adapter.origin
    yield "works", "without a network" if adapter.offline else "over a network"
    for name, there in adapter.secrets.items():
        yield "key", f"{name}, {'which is set' if there else 'which is needed and has no value'}"
    for name, there in adapter.optional_secrets.items():
        yield "key", f"{name}, {'which is set' if there else 'which it can do without'}"
    if adapter.extra:
        yield "extra", adapter.extra
    if adapter.missing:
        yield "missing", f"{', '.join(adapter.missing)}; bring it by: {adapter.install}"


def _option(option: OptionInfo, adapter: AdapterInfo) -> Text:
    default = "has to be given" if option.required else f"default {shown(option.default)}"
    where = "" if option.ports == adapter.ports else f"; at {', '.join(option.ports)}"
    return Text.assemble(f"{option.kind}  ", (f"{option.description} ({default}{where})", "dim"))

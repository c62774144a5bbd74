"""A model's card: the README.md that goes to the hub with it, made of what the run store knows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kitchen_core.refs import RefError, parse_ref
from kitchen_core.store.errors import NotFound
from kitchen_core.store.lineage import run_node
from kitchen_core.store.records import RunRecord
from kitchen_core.store.store import Store
from kitchen_core.telemetry.ports import Node
from kitchen_daemon.hub.snippets import how_to_load

_OF_THE_MACHINE = ("device", "threads")
_NO_RESULT = ("time/", "optim/", "num_", "epoch", "progress", "learning_rate", "gpu/", "memory/")


@dataclass(frozen=True, slots=True)
class Base:
    """The model that a run began from in the end: on the hub, embedded, or neither.

    kind: of the ref. name: ORG/NAME on the hub, else what it is called here.
    """

    kind: str
    name: str
    revision: str | None = None


def make_card(
    store: Store, run: RunRecord, folder: Path, repo: str, defaults: Mapping[str, Any]
) -> str:
    """The card of a run's final model. defaults: the settings that its recipe has by itself.

    No path and no name of this machine is in it.
    """
    is_adapter = (folder / "adapter_config.json").is_file()
    base = _base_of(store, run)
    nodes, edges = store.graph(run_node(run.id, run.name).id)
    by_id = {node.id: node for node in nodes}
    sources = [
        (edge.role, by_id[edge.source])
        for edge in edges
        if edge.target == f"run:{run.id}" and edge.role != "recipe"
    ]
    data = [(role, node) for role, node in sources if node.kind == "dataset"]
    models = [(role, node) for role, node in sources if node.kind != "dataset"]
    parts = [
        _front_matter(run, base, is_adapter, [node for _, node in data]),
        f"# {repo.rpartition('/')[2]}\n\n{_opening(run, base, is_adapter)}",
        f"## Use\n\n```python\n{how_to_load(repo, base.kind, base.name, is_adapter)}\n```",
        _section("Settings", ("setting", "value"), _settings(run, defaults)),
        _section("Data", ("as", "data", "SHA-256 of its rows"), map(_source, data)),
        _section("Made from", ("as", "model", "SHA-256"), map(_source, models)),
        _section("Parents", ("run", "recipe", "seed"), _parents(store, run)),
        _section("Last values", ("metric", "value"), _metrics(store, run)),
        _section("Versions", ("package", "version"), _versions(store, run).items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(run: RunRecord, base: Base, is_adapter: bool, datasets: Sequence[Node]) -> str:
    """YAML, in its JSON spelling, for which no name needs to be escaped by hand."""
    facts: dict[str, Any] = {
        "library_name": "peft" if is_adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["crucible-kitchen", run.recipe],
    }
    if base.kind == "hf":
        facts["base_model"] = base.name
        facts["base_model_relation"] = "adapter" if is_adapter else "finetune"
    # the name of a hub's data says its commit, and no other name has one
    on_hub = [node.name.partition("@")[0] for node in datasets if "/" in node.name]
    if on_hub:
        facts["datasets"] = sorted(set(on_hub))
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    return "\n".join(["---", *lines, "---"])


def _opening(run: RunRecord, base: Base, is_adapter: bool) -> str:
    what = "A LoRA adapter for" if is_adapter else "Made from"
    at = f" at {base.revision[:12]}" if base.revision else ""
    return (
        f"{what} {_link(base)}{at}, trained by the recipe `{run.recipe}` (workflow {run.workflow}, "
        f"{run.progress_step} steps, seed {run.seed}) of Crucible Kitchen."
    )


def _link(base: Base) -> str:
    match base.kind:
        case "hf":
            return f"[{base.name}](https://huggingface.co/{base.name})"
        case "builtin":
            return f"Crucible Kitchen's embedded model `{base.name}`"
        case _:
            return base.name


def _section(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table under a heading; nothing where it has no rows."""
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    if not lines:
        return ""
    head = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    return "\n".join([f"## {title}", "", *head, *lines])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _settings(run: RunRecord, defaults: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Those that differ from the recipe's own."""
    return [
        (f"`{key}`", f"`{json.dumps(_public(value), ensure_ascii=False)}`")
        for key, value in run.config.items()
        if key not in _OF_THE_MACHINE and (key not in defaults or value != defaults[key])
    ]


def _public(value: Any) -> Any:
    """A setting without the folders of this machine."""
    match value:
        case dict():
            return {_public(key): _public(each) for key, each in value.items()}
        case list() | tuple():
            return [_public(each) for each in value]
        case str() if value.startswith(("file:", "/", "~", "./", "../")):
            return Path(value.removeprefix("file:")).name
        case _:
            return value


def _source(found: tuple[str, Node]) -> tuple[str, str, str]:
    role, node = found
    return role, node.name, f"`{node.sha256}`" if node.sha256 else ""


def _parents(store: Store, run: RunRecord) -> list[tuple[str, str, str]]:
    parents = [store.get_run(parent) for parent in run.parents]
    return [(f"{each.name} {each.id}", each.recipe, str(each.seed)) for each in parents]


def _metrics(store: Store, run: RunRecord) -> list[tuple[str, str]]:
    return [
        (name, f"{value:.6g}")
        for name, value in sorted(store.last_values(run.id).items())
        if value is not None and not name.startswith(_NO_RESULT)
    ]


def _versions(store: Store, run: RunRecord) -> Mapping[str, str]:
    """What was installed when the run saved its last checkpoint that is still here."""
    saved = [each for each in store.list_artifacts(run.id) if each.name.startswith("checkpoints/")]
    for checkpoint in sorted(saved, key=lambda each: each.step or 0, reverse=True):
        state = checkpoint.path / "state.json"
        if state.is_file():
            return json.loads(state.read_text(encoding="utf-8")).get("software", {})
    return {}


def _base_of(store: Store, run: RunRecord) -> Base:
    """Follows runs and stored models back to what none of them made."""
    text = run.config["model"]
    pin = run.pins.get(text, "")
    try:
        ref = parse_ref(pin if ":" in pin else text)
        match ref.kind:
            case "hf":
                return Base("hf", ref.name, ref.selector)
            case "run":
                return _base_of(store, store.find_run(ref.name))
            case "artifact" if (maker := store.find_artifact(ref.name).run_id) is not None:
                return _base_of(store, store.get_run(maker))
            case "builtin":
                return Base("builtin", ref.name)
    except (RefError, NotFound):
        pass  # an ancestor is gone: then its name is all that is known
    return Base("other", f"a model that is not on the hub ({_public(text)})")

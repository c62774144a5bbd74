"""The machine's gauges: what each shows now beside its last minutes, and who uses each GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from kitchen_daemon.models import DeviceProcess, GpuInfo, MachineInfo
from kitchen_tui.charts import sparkline
from kitchen_tui.format import NOTHING, one_line, size

NEARLY_FULL = 0.9
HOT_C = 85.0
COOLEST_C, HOTTEST_C = 20.0, 100.0
"""The ends of a temperature's sparkline."""

MOST_A_LINE = 4
ALL_IN_A_LINE = 120
_LABEL = 6
_LONGEST_SPARKLINE = 30
_LONGEST_NAME = 24


@dataclass(frozen=True)
class Gauge:
    """One gauge. low, high: the ends of its sparkline; high None: its highest value. alarm: somebody should look
    at it.
    """

    name: str
    value: str
    history: Sequence[float | None]
    low: float = 0.0
    high: float | None = 1.0
    alarm: bool = False


def gauge_lines(
    machine: MachineInfo, names: Mapping[str, str], width: int, *, most: int | None = None
) -> list[Text]:
    """The machine's gauges, then each GPU's and who uses it, a line each.

    most: so many lines at most, if that can be: the power and the heat of GPUs go first, then who uses them. names:
    of runs by id.
    """
    lines = _lines(machine, names, width, whole=True, users=True)
    for users in (True, False):
        if most is not None and len(lines) > most:
            lines = _lines(machine, names, width, whole=False, users=users)
    return lines


def _lines(
    machine: MachineInfo, names: Mapping[str, str], width: int, *, whole: bool, users: bool
) -> list[Text]:
    a_line = MOST_A_LINE if width >= ALL_IN_A_LINE else 2
    lines = _flow("", _machine_gauges(machine), width, a_line)
    for gpu in machine.gpus:
        gauges = _gpu_gauges(gpu, machine.histories)
        lines += _flow(f"GPU {gpu.index}", gauges if whole else gauges[:2], width, a_line)
        if users and (gpu.processes or gpu.runs):
            lines.append(_users(gpu, names, width))
    return lines


def _machine_gauges(machine: MachineInfo) -> list[Gauge]:
    def history(gauge: str) -> Sequence[float | None]:
        return machine.histories.get(gauge, [])

    slots = f"{machine.slots_taken} of {machine.slots} slots"
    ram, ram_words = _share(machine.ram_bytes - machine.ram_available_bytes, machine.ram_bytes)
    disk = _full(machine)
    free = "" if machine.disk_free_bytes is None else f", {size(machine.disk_free_bytes)} free"
    return [
        Gauge("CPU", f"{_percent(machine.cpu_use)}, {slots}", history("cpu")),
        Gauge("RAM", ram_words, history("ram"), alarm=ram >= NEARLY_FULL),
        Gauge(
            "disk",
            f"{_percent(disk)}{free}",
            history("disk"),
            alarm=disk is not None and disk >= NEARLY_FULL,
        ),
    ]


def _full(machine: MachineInfo) -> float | None:
    """The share of the disk that is taken."""
    if not machine.disk_bytes or machine.disk_free_bytes is None:
        return None
    return 1 - machine.disk_free_bytes / machine.disk_bytes


def _gpu_gauges(gpu: GpuInfo, histories: Mapping[str, Sequence[float | None]]) -> list[Gauge]:
    def history(gauge: str) -> Sequence[float | None]:
        return histories.get(f"gpu{gpu.index}/{gauge}", [])

    memory, memory_words = _share(gpu.memory_used_bytes, gpu.memory_bytes)
    heat = gpu.temperature_c
    return [
        Gauge("use", _percent(gpu.use), history("use")),
        Gauge("memory", memory_words, history("memory"), alarm=memory >= NEARLY_FULL),
        Gauge("power", _power(gpu), history("power_w"), high=gpu.power_limit_w),
        Gauge(
            "heat",
            NOTHING if heat is None else f"{heat:3.0f} °C",
            history("temperature_c"),
            low=COOLEST_C,
            high=HOTTEST_C,
            alarm=heat is not None and heat >= HOT_C,
        ),
    ]


def _flow(label: str, gauges: Sequence[Gauge], width: int, a_line: int) -> list[Text]:
    """The gauges in lines of equal cells, a label before the first."""
    cell = (width - _LABEL) // a_line
    lines: list[Text] = []
    for start in range(0, len(gauges), a_line):
        line = Text(f"{'' if start else label:<{_LABEL}}", style="bold", no_wrap=True)
        for gauge in gauges[start : start + a_line]:
            line.append_text(_cell(gauge, cell))
        lines.append(line)
    return lines


def _cell(gauge: Gauge, width: int) -> Text:
    """A gauge in so many characters: its name, its last minutes as far as there is room, what it shows."""
    room = width - len(gauge.name) - len(gauge.value) - 4
    room = max(0, min(_LONGEST_SPARKLINE, room))
    bars = sparkline(gauge.history, room, low=gauge.low, high=gauge.high)
    cell = Text.assemble(
        (f"{gauge.name} ", "dim not bold"),
        (f"{bars:>{room}} ", "cyan not bold"),
        (gauge.value, "bold red" if gauge.alarm else "not bold"),
    )
    cell.truncate(width - 1, overflow="ellipsis")
    cell.pad_right(width - cell.cell_len)
    return cell


def _users(gpu: GpuInfo, names: Mapping[str, str], width: int) -> Text:
    """Who uses a GPU: runs by their names, and other programs by theirs and their pids."""
    at_work = {process.run for process in gpu.processes}
    told = [_process(process, names) for process in gpu.processes]
    told += [
        Text(f"{names.get(run, run)}, starting", style="blue")
        for run in gpu.runs
        if run not in at_work
    ]
    line = Text(" " * _LABEL, no_wrap=True).append_text(Text("  ").join(told))
    line.truncate(width, overflow="ellipsis")
    return line


def _process(process: DeviceProcess, names: Mapping[str, str]) -> Text:
    held = "" if process.memory_bytes is None else f" {size(process.memory_bytes)}"
    if process.run is not None:
        return Text(f"{names.get(process.run, process.run)}{held}", style="blue")
    name = one_line(process.name.rsplit("/", 1)[-1], _LONGEST_NAME)
    return Text(f"pid {process.pid} {name}{held}", style="yellow")


def _share(used: int, whole: int) -> tuple[float, str]:
    """A share, and in words: `48.1 of 85.5 GB`, as long whatever it is, so that nothing beside it moves."""
    share = used / whole if whole else 0.0
    all_of_it, part = size(whole), size(used)
    number, unit = all_of_it.split()
    if part.endswith(f" {unit}"):
        part = part.removesuffix(f" {unit}")
    return share, f"{part:>{len(number)}} of {all_of_it}"


def _percent(share: float | None) -> str:
    return f"{NOTHING:>5}" if share is None else f"{100 * share:3.0f} %"


def _power(gpu: GpuInfo) -> str:
    if gpu.power_w is None:
        return NOTHING
    limit = f" of {gpu.power_limit_w:.0f}" if gpu.power_limit_w else ""
    return f"{gpu.power_w:3.0f}{limit} W"

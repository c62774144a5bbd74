"""Folders of installed packages that bring adapters."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from kitchen_core.adapters.finding import GROUP, FoundAdapters, gather

MODULE = """
from kitchen_core.train.ports.adapter import Adapter

class Reader:
    pass

adapter = Adapter(name="{name}", summary="A reader", ports={ports}, modules={modules}, extra={extra})
"""


class Site:
    """A folder of installed packages: a module, and the metadata that names its adapters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, package: str, entries: dict[str, str], code: str) -> None:
        (self.folder / f"{package}_code.py").write_text(code)
        info = self.folder / f"{package}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = [f"{name} = {package}_code{place}" for name, place in entries.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]) + "\n")

    def found(self) -> FoundAdapters:
        """What is found here and in the kitchen itself."""
        return gather(entry_points(group=GROUP))


def code(name="lab", ports='{"dataset_reader": Reader}', modules="()", extra=None) -> str:
    return MODULE.format(name=name, ports=ports, modules=modules, extra=repr(extra))

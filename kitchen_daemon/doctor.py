"""What works here and what is missing, one line each."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Iterator

from kitchen_core.home import Home
from kitchen_core.store.migration import schema_version
from kitchen_core.store.store import Store
from kitchen_daemon.adapters.examining import examine_manifests
from kitchen_daemon.apart import Apart
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.machine.driver import driver
from kitchen_daemon.models import Check

LOW_DISK_BYTES = 5 * 1024**3
PACKAGES = ("torch", "transformers", "peft", "sqlmodel", "textual")


def examine(home: Home, store: Store, shelf: Shelf, *, ask: Apart | None = None) -> Iterator[Check]:
    """Look at everything; without a network unless `ask`."""
    yield Check(name="python", ok=True, detail=platform.python_version())
    yield _packages()
    yield _device()
    yield _disk(home)
    yield Check(
        name="store", ok=True, detail=f"{home.database} (schema {schema_version(home.database)})"
    )
    yield from examine_manifests(home, ask=ask)
    yield _recipes(shelf)
    yield from _recipe_folders(shelf)


def _packages() -> Check:
    found = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return Check(name="packages", ok=True, detail=", ".join(found))


def _device() -> Check:
    found = driver().gpus()
    if troubles := driver().troubles:
        return Check(
            name="device",
            ok=False,
            detail="; ".join([*troubles, *(f"GPU {gpu.index} works" for gpu in found)]),
            hint="see `nvidia-smi` and `sudo dmesg | grep -i nvrm`; loading the driver again or a reboot often helps",
        )
    if not found:
        detail = "CPU only; no NVIDIA driver answers"
        return Check(
            name="device", ok=True, detail=detail, hint="real models train slowly on a CPU"
        )
    names = [f"{gpu.name} ({gpu.memory_bytes / 1024**3:.0f} GiB)" for gpu in found]
    if "+cpu" in importlib.metadata.version("torch"):
        hint = "install a CUDA build of torch: pip install --force-reinstall torch"
        return Check(
            name="device",
            ok=False,
            detail=f"{', '.join(names)}, but torch is a CPU build",
            hint=hint,
        )
    return Check(name="device", ok=True, detail=", ".join(names))


def _disk(home: Home) -> Check:
    free = shutil.disk_usage(home.root).free
    low = free < LOW_DISK_BYTES
    hint = "checkpoints of real models need several GiB each" if low else ""
    return Check(
        name="disk", ok=not low, detail=f"{free / 1024**3:.1f} GiB free at {home.root}", hint=hint
    )


def _recipes(shelf: Shelf) -> Check:
    found = shelf.summaries()
    broken = [recipe for recipe in found if recipe.error]
    if broken:
        return Check(name="recipes", ok=False, detail=str(broken[0].error), hint="kitchen recipes")
    return Check(name="recipes", ok=True, detail=", ".join(recipe.name for recipe in found))


def _recipe_folders(shelf: Shelf) -> Iterator[Check]:
    if shelf.trouble:
        yield Check(name="reload", ok=False, detail=shelf.trouble)
    for folder in shelf.folders:
        if not folder.is_dir():
            hint = "make it, or change recipe_folders in kitchen.toml; it is seen when it comes"
            yield Check(name="reload", ok=False, detail=f"no recipe folder {folder}", hint=hint)

"""Folders that are held by whoever needs them and removed only when nobody does. The kernel lets go
of what a process held when the process ends.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def hold_folder(folder: Path) -> int:
    """A descriptor that holds the folder until it is closed; several may. Raises FileNotFoundError
    where it is gone.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def claim_folder(parent: Path, prefix: str = "") -> tuple[Path, int]:
    """A new folder with a name of its own, and the descriptor that holds it."""
    while True:
        folder = parent / f"{prefix}{secrets.token_hex(8)}"
        folder.mkdir(parents=True)
        try:
            held = hold_folder(folder)
        except FileNotFoundError:
            continue
        # Its removal may have come between the two lines above.
        if folder.exists():
            return folder, held
        os.close(held)


def remove_unheld(folder: Path) -> bool:
    """Remove a folder unless somebody holds it; returns whether it was there to remove."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def alone_in(folder: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Work in a folder, made where there is none, while others who ask for the same wait.

    wait: called again and again while another is in there; it lets some time pass, or raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        while not _locked(descriptor):
            wait()
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

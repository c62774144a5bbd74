"""Recipes are run to be read, and a recipe may do anything; so each reading has a process of its
own.

A server process imports what readings need once and forks for each of them, which makes one take
milliseconds.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from kitchen_core.config import ConfigError
from kitchen_core.recipe import RecipeError
from kitchen_core.recipe_files import RecipeFiles
from kitchen_core.workflows.reading import RecipeReading, read_recipe

READ_SECONDS = 10.0
_GRACE_SECONDS = 2  # beyond which a reading whose daemon is gone ends itself
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["kitchen_core.workflows.reading"])


class Superseded(Exception):  # noqa: N818 - named by the condition
    """A reading that nobody waits for any more."""


class Unread(RecipeError):  # noqa: N818 - named by the condition
    """A recipe that can't be used, with the bytes of what was read of it until then."""

    def __init__(self, message: str, taken: Mapping[Path, bytes]) -> None:
        super().__init__(message)
        self.taken = taken


def warm_up() -> None:
    """Start the server process, so that the first reading is as quick as the others."""
    process = _context.Process(target=int)
    process.start()
    process.join()


def read_apart(
    path: Path,
    preset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    seconds: float = READ_SECONDS,
    given_up: int | None = None,
) -> RecipeReading:
    """`read_recipe` in a process of its own, which ends with all that the recipe has started. What it prints goes
    nowhere.

    Blocks, for `seconds` at most, and until there is something to read from the file descriptor `given_up`. Raises
    Unread, ConfigError or Superseded.
    """
    ours, theirs = _context.Pipe(duplex=False)
    process = _context.Process(
        target=_read, args=(theirs, path, preset, dict(overrides or {}), seconds), daemon=True
    )
    process.start()
    theirs.close()
    try:
        # not the pipe alone: a child of the recipe may hold its other end open
        signs = [ours, process.sentinel, *([] if given_up is None else [given_up])]
        ready = wait(signs, seconds)
        if not ready:
            raise Unread(f"{path}: did not load within {seconds:g} s", {})
        if not ours.poll():
            if given_up in ready:
                raise Superseded(str(path))
            raise EOFError
        kind, text, taken = ours.recv()
    except EOFError:
        process.join()
        raise Unread(
            f"{path}: its process ended while loading (exit code {process.exitcode})", {}
        ) from None
    finally:
        _end(process)
        ours.close()
    match kind:
        case "recipe":
            raise Unread(text, taken)
        case "config":
            raise ConfigError(text)
        case _:
            return RecipeReading.model_validate_json(text)


def _end(process: BaseProcess) -> None:
    """Kill a reading and what it has started."""
    if process.pid is not None:
        with suppress(ProcessLookupError):  # the group has ended, or does not exist yet
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _read(
    pipe: Connection,
    path: Path,
    preset: str | None,
    overrides: dict[str, Any],
    seconds: float,
) -> None:
    os.setsid()  # a group of its own, which can be killed as one
    signal.alarm(math.ceil(seconds) + _GRACE_SECONDS)
    _silence()
    files = RecipeFiles(path)
    try:
        reading = read_recipe(path, preset, overrides, files=files)
        pipe.send(("read", reading.model_dump_json(), {}))
    except RecipeError as error:
        pipe.send(("recipe", str(error), files.taken))
    except ConfigError as error:
        pipe.send(("config", str(error), {}))


def _silence() -> None:
    """Nothing of what a recipe prints while it is read is for anybody; it may be endless."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)

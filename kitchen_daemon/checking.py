"""Recipes are run to be read, and a recipe may do anything; so each reading has a process of its
own.

A server process imports what readings need once and forks for each of them, which makes one take
milliseconds.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from kitchen_core.config import ConfigError
from kitchen_core.recipe import RecipeError
from kitchen_core.workflows.reading import RecipeReading, read_recipe

READ_SECONDS = 20.0
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["kitchen_core.workflows.reading"])


def warm_up() -> None:
    """Start the server process, so that the first reading is as quick as the others."""
    process = _context.Process(target=int)
    process.start()
    process.join()


def read_apart(
    path: Path, preset: str | None = None, overrides: Mapping[str, Any] | None = None
) -> RecipeReading:
    """`read_recipe` in a process of its own. Blocks. Raises RecipeError or ConfigError."""
    ours, theirs = _context.Pipe(duplex=False)
    process = _context.Process(
        target=_read, args=(theirs, path, preset, dict(overrides or {})), daemon=True
    )
    process.start()
    theirs.close()
    try:
        if not ours.poll(READ_SECONDS):
            raise RecipeError(f"{path}: did not load within {READ_SECONDS:.0f} s")
        kind, text = ours.recv()
    except EOFError:
        process.join()
        raise RecipeError(
            f"{path}: its process ended while loading (exit code {process.exitcode})"
        ) from None
    finally:
        process.kill()
        process.join()
        ours.close()
    match kind:
        case "recipe":
            raise RecipeError(text)
        case "config":
            raise ConfigError(text)
        case _:
            return RecipeReading.model_validate_json(text)


def _read(pipe: Connection, path: Path, preset: str | None, overrides: dict[str, Any]) -> None:
    try:
        pipe.send(("read", read_recipe(path, preset, overrides).model_dump_json()))
    except RecipeError as error:
        pipe.send(("recipe", str(error)))
    except ConfigError as error:
        pipe.send(("config", str(error)))

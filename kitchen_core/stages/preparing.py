"""Preparing a set: its examples as token sequences on disk, made once for each content, tokenizer,
template, setting and version of the code.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypeVar

from kitchen_core.prepared import LeftOut, PreparedSet, PreparedStore, PreparedWriter
from kitchen_core.refs import RefError
from kitchen_core.slices import drain, in_thread
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.stages.watching import Watch
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.renderers import Rendered, Renderer
from kitchen_core.workflow.context import StageContext

_CODE = (
    "kitchen_core.prepared",
    "kitchen_core.stages.examples",
    "kitchen_core.stages.preparing",
    "kitchen_core.train.batches",
    "kitchen_core.train.conversations",
    "kitchen_core.train.hashing",
    "kitchen_core.train.pairs",
    "kitchen_core.train.preparing",
    "kitchen_core.train.renderers",
    "kitchen_core.train.schemas",
    "kitchen_core.train.types",
)
E = TypeVar("E", contravariant=True)
_LIBRARIES = ("jinja2", "numpy", "tokenizers", "transformers")


class Preparing(Protocol[E]):
    """How what a row holds becomes sequences: `Preparation` for examples, `PairPreparation` for
    comparisons.
    """

    @property
    def renderer(self) -> Renderer:
        """How conversations are spelled."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own."""
        ...

    @property
    def max_length(self) -> int:
        """The most tokens that a sequence has."""
        ...

    @property
    def fingerprint(self) -> str:
        """What the sequences depend on, but for the code."""
        ...

    @property
    def lacking(self) -> str:
        """What a row without sequences has, in words."""
        ...

    def sequences(self, example: E, /) -> list[Rendered]:
        """The row's sequences, none where there is nothing to train. Raises RenderError."""
        ...

    def untrained(self, name: str, count: str) -> str:
        """Why data can't be trained on, where no row has a sequence."""
        ...


async def prepare(
    ctx: StageContext, examples: ExampleStream[E], preparation: Preparing[E]
) -> PreparedSet:
    """The prepared set, from the cache where it is there and whole.

    Raises RowError, RenderError, or RefError where no row has anything to train.
    """
    store = PreparedStore(ctx.cache / "prepared")
    key = cache_key(examples, preparation)
    found = await ctx.wait(asyncio.to_thread(store.find, key))
    if found is not None:
        return found
    async with in_thread(store.writing(key)) as writer:
        await _write(ctx, writer, examples, preparation)
    return writer.made


def cache_key(examples: ExampleStream[E], preparation: Preparing[E]) -> str:
    """What a prepared set depends on, all of it."""
    parts = (preparation.renderer, preparation.tokenizer)
    code = sha256_of_code(tuple(module for part in parts for module in _modules_of(type(part))))
    return sha256_of_json([examples.fingerprint, preparation.fingerprint, code])


@cache
def sha256_of_code(more: tuple[str, ...] = ()) -> str:
    """SHA-256 over the code that prepares: the source of its modules and packages, of `more`
    modules, and the versions of the libraries beneath.
    """
    paths = sorted({path for name in (*_CODE, *more) for path in _sources(name)})
    sources = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return sha256_of_json([sources, [[name, version(name)] for name in _LIBRARIES]])


def _sources(module: str) -> list[Path]:
    """A package's files, a module's own; of a module from elsewhere also those beside it, which it
    may import.
    """
    file = Path(str((sys.modules.get(module) or import_module(module)).__file__))
    if file.name == "__init__.py":
        return sorted(file.parent.rglob("*.py"))
    return [file] if module.startswith("kitchen_core.") else sorted(file.parent.glob("*.py"))


def _modules_of(kind: type) -> list[str]:
    """The modules that a renderer's or a tokenizer's class is written in; a recipe may bring its
    own. Python's are not among them.
    """
    names = [base.__module__ for base in kind.__mro__]
    return [
        name
        for name in names
        if name.partition(".")[0] not in sys.stdlib_module_names
        and getattr(sys.modules.get(name), "__file__", None)
    ]


async def _write(
    ctx: StageContext, writer: PreparedWriter, examples: ExampleStream[E], preparation: Preparing[E]
) -> None:
    left_out, first_row = 0, 0

    def take(numbered: tuple[int, E]) -> None:
        nonlocal left_out, first_row
        number, example = numbered
        sequences = preparation.sequences(example)
        for sequence in sequences:
            writer.add(sequence, number)
        if not sequences:
            left_out += 1
            first_row = first_row or number

    await drain(examples, take, Watch(ctx, f"preparing {examples.name}", examples.split.num_rows))
    writer.left_out = LeftOut(left_out, first_row)
    if not writer.num_examples:
        raise RefError(preparation.untrained(examples.name, str(left_out)))

"""Where the products of an async loop wait for their turns, and outlive the process."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from kitchen_core.train.hashing import canonical_json

Product = TypeVar("Product")

INDEX = "products.json"


@dataclass(frozen=True)
class _Coming(Generic[Product]):
    """A product that is there, or on its way. begins_again: it can, after a resume, so that nothing
    need wait for it.
    """

    made: asyncio.Future[Product]
    begins_again: bool

    @property
    def is_there(self) -> bool:
        """Whether it was made, and not given up."""
        made = self.made
        return made.done() and not made.cancelled() and made.exception() is None


class Buffer(Generic[Product]):
    """Products by the turn that they are for. A Stateful value of the run state.

    encode, decode: a product to JSON and back, without loss.
    """

    fingerprint = "an empty buffer"

    def __init__(self, encode: Callable[[Product], Any], decode: Callable[[Any], Product]) -> None:
        self._encode = encode
        self._decode = decode
        self._coming: dict[int, _Coming[Product]] = {}

    def __contains__(self, turn: int) -> bool:
        return turn in self._coming

    def expect(self, turn: int, made: asyncio.Future[Product], *, begins_again: bool) -> None:
        """A product is on its way. begins_again: a checkpoint need not wait for it."""
        self._coming[turn] = _Coming(made, begins_again)

    async def take(self, turn: int) -> Product:
        """The product of a turn, once it is there. Raises what its making raised."""
        try:
            return await self._coming[turn].made
        finally:
            del self._coming[turn]

    async def close(self) -> None:
        """Give up everything that is on its way or waits."""
        futures = [coming.made for coming in self._coming.values()]
        self._coming.clear()
        for made in futures:
            made.cancel()
        await asyncio.gather(*futures, return_exceptions=True)

    async def save_state(self, folder: Path) -> None:
        """Write the products that are there, a JSON file each, and an index with their hashes.

        Waits first for those that could not begin again; raises what their making raises.
        """
        for coming in list(self._coming.values()):
            if not coming.begins_again:
                await coming.made
        there = {turn: c.made.result() for turn, c in self._coming.items() if c.is_there}
        await asyncio.to_thread(self._write, folder, there)

    async def load_state(self, folder: Path) -> None:
        """Put back what was written.

        Raises ValueError where a product can't be read or comes out different.
        """
        products = await asyncio.to_thread(self._read, folder)
        for turn, product in products.items():
            made = asyncio.get_running_loop().create_future()
            made.set_result(product)
            self.expect(turn, made, begins_again=False)

    def _write(self, folder: Path, products: Mapping[int, Product]) -> None:
        texts = {turn: canonical_json(self._encode(made)) for turn, made in products.items()}
        for turn, text in texts.items():
            _file(folder, turn).write_text(text)
        index = {turn: _sha256(text) for turn, text in texts.items()}
        (folder / INDEX).write_text(canonical_json(index))

    def _read(self, folder: Path) -> dict[int, Product]:
        index = json.loads((folder / INDEX).read_text())
        return {int(turn): self._product(folder, int(turn), sha) for turn, sha in index.items()}

    def _product(self, folder: Path, turn: int, sha256: str) -> Product:
        try:
            product = self._decode(json.loads(_file(folder, turn).read_text()))
            same = _sha256(canonical_json(self._encode(product))) == sha256
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ValueError(f"what waits for turn {turn} can't be read ({error})") from error
        if not same:
            raise ValueError(f"what waits for turn {turn} came out different from what was saved")
        return product


def _file(folder: Path, turn: int) -> Path:
    return folder / f"{turn:06d}.json"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

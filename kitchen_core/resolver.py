"""Resolving: how a ref becomes content.

The resolver asks the sources that it was given, hashes what it finds, checks the hash against the
run's pin and reports the node, so that lineage is complete without any stage having to remember it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kitchen_core.content import sha256_of_model
from kitchen_core.pins import check_pin, check_pinned_file
from kitchen_core.ports.sources import Builtins, StoredModel, StoredModels
from kitchen_core.refs import Ref, RefError, check_role, parse_ref
from kitchen_core.resolved_data import FoundRows, ResolvedDataset, rows_of_hub, split_of
from kitchen_core.telemetry.ports import Node
from kitchen_core.train.hashing import RowsHash
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.ports.datasets import DatasetReader
from kitchen_core.train.ports.hub import DatasetHub, ModelHub
from kitchen_core.train.types import ModelSource


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that a ref led to, and its place in the lineage.

    pin: the ref that leads to the same content for ever, where the one that was asked for may move.
    base: what an adapter belongs to.
    """

    source: ModelSource
    node: Node
    pin: str | None = None
    base: Node | None = None


class Resolver:
    """Turns refs into content.

    pins: what mutable refs were fixed to at submission. A pin is either another ref, which is
    followed instead, or the SHA-256 of the content, which must still be the same. on_resolved is
    told each node with the role that it was asked for. pin is told what a ref that was not pinned
    has led to.
    """

    def __init__(
        self,
        *,
        builtins: Builtins,
        stored: StoredModels,
        reader: Callable[[], DatasetReader],
        model_hub: Callable[[], ModelHub],
        dataset_hub: Callable[[], DatasetHub],
        pins: dict[str, str],
        on_resolved: Callable[[str, Node, str], None],
        pin: Callable[[str, str], None],
    ) -> None:
        self._builtins = builtins
        self._stored = stored
        self._reader = reader
        self._model_hub = model_hub
        self._dataset_hub = dataset_hub
        self._pins = pins
        self._on_resolved = on_resolved
        self._pin = pin

    async def model(self, text: str, role: str = "model", *, weights: bool = True) -> ResolvedModel:
        """The model that a ref names. weights: whether those of a base model on the hub are fetched,
        or only what tells how it reads. Raises RefError or a port's error.
        """
        ref, sha256 = self._pinned(text)
        check_role(ref, "model")
        resolved = await self._model(ref, weights)
        check_pin(text, sha256, resolved.node.sha256)
        if resolved.pin is not None and text not in self._pins:
            self._pin(text, resolved.pin)
        if resolved.base is not None:
            self._on_resolved(text, resolved.base, f"base of {role}")
        self._on_resolved(text, resolved.node, role)
        return resolved

    async def dataset(
        self,
        text: str,
        role: str = "dataset",
        *,
        between: Callable[[int], None] = lambda rows: None,
        seen: Callable[[str], None] = lambda line: None,
    ) -> ResolvedDataset:
        """The rows that a ref names, gone through once for their hash.

        between: told now and then how many have been; it may raise to stop. seen: told, in another
        thread, the canonical text of each row to train on. Raises RefError or a port's error.
        """
        ref, sha256 = self._pinned(text)
        check_role(ref, "dataset")
        if ref.kind == "file" and sha256 is not None:
            await asyncio.to_thread(check_pinned_file, text, sha256)
        found = await self._find_rows(ref)
        whole = RowsHash()
        train = await split_of(found.train, whole, between, seen)
        test = await split_of(found.test, whole, between)
        if not whole.num_rows:
            raise RefError(f"dataset {text} has no rows")
        content = whole.hexdigest()
        if ref.kind != "file":
            check_pin(text, sha256, content)
        if found.pin is not None and text not in self._pins:
            self._pin(text, found.pin)
        node = Node(f"artifact:{content}", "dataset", found.name, content)
        self._on_resolved(text, node, role)
        return ResolvedDataset(text, train, test, node, found.revision)

    def _pinned(self, text: str) -> tuple[Ref, str | None]:
        """The ref to follow, and the hash to hold its content against."""
        pin = self._pins.get(text)
        if pin is not None and ":" in pin:
            return parse_ref(pin), None
        return parse_ref(text), pin

    async def _model(self, ref: Ref, weights: bool) -> ResolvedModel:
        match ref.kind:
            case "builtin":
                try:
                    folder = self._builtins.model_folder(ref.name)
                except ValueError as error:
                    raise RefError(str(error)) from None
                return await asyncio.to_thread(_base_model, folder, str(ref), str(ref))
            case "file":
                folder = Path(ref.name)
                inspect_model_folder(folder)
                return await asyncio.to_thread(_base_model, folder, folder.name, None)
            case "hf":
                return await self._from_hub(ref, weights)
            case "run":
                return await self._from_store(self._stored.of_run(ref.name), weights)
            case "artifact":
                return await self._from_store(self._stored.of_artifact(ref.name), weights)
            case "model":
                version = ref.selector or "latest"
                return await self._from_store(self._stored.of_registry(ref.name, version), weights)

    async def _from_hub(self, ref: Ref, weights: bool) -> ResolvedModel:
        hub = self._model_hub()
        fetched = await hub.fetch_model(ref.name, ref.selector, weights=weights)
        name = f"{ref.name}@{fetched.commit}"
        if weights:
            found = await asyncio.to_thread(_base_model, fetched.folder, name, ref.name)
            return replace(found, pin=f"hf:{name}")
        # Without its weights the folder's hash would name no model, so the commit has to.
        node = Node(f"hf:{name}", "model", name)
        return ResolvedModel(ModelSource(ref.name, fetched.folder), node, pin=f"hf:{name}")

    async def _from_store(self, stored: StoredModel, weights: bool) -> ResolvedModel:
        node = Node(f"artifact:{stored.sha256}", "model", stored.name, stored.sha256)
        if stored.base is None:
            return ResolvedModel(ModelSource(f"artifact:{stored.sha256}", stored.path), node)
        # An adapter that continued another one contains it, so only the first base is left to find.
        base = await self._model(parse_ref(stored.base), weights)
        check_pin(stored.base, stored.base_sha256, base.node.sha256)
        source = ModelSource(base.source.name, base.source.folder, stored.path)
        return ResolvedModel(source, node, base=base.node)

    async def _find_rows(self, ref: Ref) -> FoundRows:
        match ref.kind:
            case "builtin":
                try:
                    train = self._builtins.dataset_rows(ref.name, "train")
                    return FoundRows(train, self._builtins.dataset_rows(ref.name, "test"), str(ref))
                except ValueError as error:
                    raise RefError(str(error)) from None
            case "hf":
                hub = self._dataset_hub()
                return rows_of_hub(ref, await hub.fetch_dataset(ref.name, ref.selector, ref.subset))
            case _:
                return FoundRows(
                    await self._reader().read(Path(ref.name)), None, Path(ref.name).name
                )


def _base_model(folder: Path, name: str, public_name: str | None) -> ResolvedModel:
    sha256 = sha256_of_model(folder)
    node = Node(f"artifact:{sha256}", "model", name, sha256)
    return ResolvedModel(ModelSource(public_name or f"sha256:{sha256}", folder), node)

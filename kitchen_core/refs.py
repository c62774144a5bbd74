"""Refs: how configs name models and datasets, and how a name becomes content.

Parsing is pure. Resolving asks the sources that it was given, hashes what it finds, checks the hash
against the run's pin and reports the node, so that lineage is complete without any stage having to
remember it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kitchen_core.content import sha256_of_file, sha256_of_model
from kitchen_core.ports.sources import Builtins, StoredModel, StoredModels
from kitchen_core.slices import drain
from kitchen_core.telemetry.ports import Node
from kitchen_core.train.hashing import RowsHash, canonical_json
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.ports.datasets import DatasetReader
from kitchen_core.train.ports.hub import DatasetHub, HubDataset, ModelHub
from kitchen_core.train.types import ModelSource, Row

RefKind = Literal["builtin", "hf", "file", "run", "model", "artifact"]
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?(#[\w.-]+)?")
_FORMS = (
    "builtin:NAME, hf:ORG/NAME[@REVISION] or ORG/NAME (of data also #SUBSET), file:PATH or ./PATH, "
    "run:ID or run:RECIPE@latest, model:NAME@VERSION, artifact:SHA256"
)


class RefError(ValueError):
    """A ref that can't be read or leads nowhere; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A parsed ref. selector, subset: what stands behind the `@` and the `#`, if anything."""

    kind: RefKind
    name: str
    selector: str | None = None
    subset: str | None = None

    def __str__(self) -> str:
        selector = f"@{self.selector}" if self.selector else ""
        subset = f"#{self.subset}" if self.subset else ""
        return f"{self.kind}:{self.name}{selector}{subset}"


def parse_ref(text: str) -> Ref:
    """Read a ref. Raises RefError naming the forms that there are."""
    if text.startswith(("./", "../", "/", "~")) or text in (".", ".."):
        return Ref("file", text)
    kind, colon, rest = text.partition(":")
    if not colon and _HUB_NAME.fullmatch(text):
        return _hub_ref(text)
    if not rest:
        raise RefError(f"'{text}' is not a ref; write {_FORMS}")
    match kind:
        case "file":
            return Ref("file", rest)
        case "builtin":
            return Ref("builtin", rest)
        case "artifact":
            return Ref("artifact", rest)
        case "hf":
            return _hub_ref(rest)
        case "run" | "model":
            name, _, selector = rest.partition("@")
            return Ref(kind, name, selector or None)
        case _:
            raise RefError(f"'{text}': unknown kind of ref '{kind}'; write {_FORMS}")


def absolute(text: str, folder: Path) -> str:
    """The ref with a local path made absolute against `folder`; other refs as they are.

    A bare name that is a file there is that file. Raises RefError where it could also be a name on
    the hub.
    """
    is_bare = ":" not in text and "/" not in text
    ref = Ref("file", text) if is_bare and (folder / text).exists() else parse_ref(text)
    if ref.kind != "file":
        if ref.kind == "hf" and (folder / ref.name).exists() and not text.startswith("hf:"):
            raise RefError(
                f"'{text}' names a model or dataset on the hub, but ./{text} exists here; write ./{text} or hf:{text}"
            )
        return text
    return f"file:{(folder / Path(ref.name).expanduser()).resolve()}"


def check_role(ref: Ref, role: Literal["model", "dataset"]) -> None:
    """Raise RefError where a ref of this kind can't lead to a model, or to a dataset."""
    if role == "model" and ref.subset:
        raise RefError(f"'{ref}': a model has no subsets; leave out #{ref.subset}")
    if role == "dataset" and ref.kind in ("run", "model", "artifact"):
        raise RefError(
            f"'{ref}': what a run makes is a model and no dataset; "
            "name a dataset by hf:ORG/NAME, by its file's path or by builtin:NAME"
        )


def _hub_ref(text: str) -> Ref:
    rest, _, subset = text.partition("#")
    name, _, revision = rest.partition("@")
    return Ref("hf", name, revision or None, subset or None)


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


@dataclass(frozen=True, slots=True)
class Split:
    """One split of a dataset: rows that are read anew at every pass, how many they are, and the
    SHA-256 over their canonical text.
    """

    rows: Iterable[Row]
    num_rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ResolvedDataset:
    """A dataset that a ref led to, and its place in the lineage.

    train, test: None where the data brings no such split. revision: the commit, of data from a hub.
    """

    ref: str
    train: Split | None
    test: Split | None
    node: Node
    revision: str | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical rows, those to train on first."""
        return self.node.sha256 or ""

    @property
    def num_rows(self) -> int:
        """Rows of all its splits."""
        return sum(split.num_rows for split in (self.train, self.test) if split)


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a dataset's rows are, before they have been looked at. pin: as of a model."""

    train: Iterable[Row] | None
    test: Iterable[Row] | None
    name: str
    revision: str | None = None
    pin: str | None = None


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

    async def model(self, text: str, role: str = "model") -> ResolvedModel:
        """The model that a ref names. Raises RefError or a port's error."""
        ref, sha256 = self._pinned(text)
        check_role(ref, "model")
        resolved = await self._model(ref)
        _check_pin(text, sha256, resolved.node.sha256)
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
    ) -> ResolvedDataset:
        """The rows that a ref names, gone through once for their hash.

        between: told now and then how many have been; it may raise to stop. Raises RefError or a
        port's error.
        """
        ref, sha256 = self._pinned(text)
        check_role(ref, "dataset")
        if ref.kind == "file":
            _check_pin(text, sha256, await asyncio.to_thread(_file_sha256, text, ref))
        found = await self._find_rows(ref)
        whole = RowsHash()
        train = await _split_of(found.train, whole, between)
        test = await _split_of(found.test, whole, between)
        if not whole.num_rows:
            raise RefError(f"dataset {text} has no rows")
        content = whole.hexdigest()
        if ref.kind != "file":
            _check_pin(text, sha256, content)
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

    async def _model(self, ref: Ref) -> ResolvedModel:
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
                fetched = await self._model_hub().fetch_model(ref.name, ref.selector)
                name = f"{ref.name}@{fetched.commit}"
                found = await asyncio.to_thread(_base_model, fetched.folder, name, ref.name)
                return replace(found, pin=f"hf:{name}")
            case "run":
                return await self._from_store(self._stored.of_run(ref.name))
            case "artifact":
                return await self._from_store(self._stored.of_artifact(ref.name))
            case "model":
                return await self._from_store(
                    self._stored.of_registry(ref.name, ref.selector or "latest")
                )

    async def _from_store(self, stored: StoredModel) -> ResolvedModel:
        node = Node(f"artifact:{stored.sha256}", "model", stored.name, stored.sha256)
        if stored.base is None:
            return ResolvedModel(ModelSource(f"artifact:{stored.sha256}", stored.path), node)
        # An adapter that continued another one contains it, so only the first base is left to find.
        base = await self._model(parse_ref(stored.base))
        _check_pin(stored.base, stored.base_sha256, base.node.sha256)
        source = ModelSource(base.source.name, base.source.folder, stored.path)
        return ResolvedModel(source, node, base=base.node)

    async def _find_rows(self, ref: Ref) -> _Found:
        match ref.kind:
            case "builtin":
                try:
                    train = self._builtins.dataset_rows(ref.name, "train")
                    return _Found(train, self._builtins.dataset_rows(ref.name, "test"), str(ref))
                except ValueError as error:
                    raise RefError(str(error)) from None
            case "hf":
                hub = self._dataset_hub()
                return _of_hub(ref, await hub.fetch_dataset(ref.name, ref.selector, ref.subset))
            case _:
                return _Found(await self._reader().read(Path(ref.name)), None, Path(ref.name).name)


async def _split_of(
    rows: Iterable[Row] | None, whole: RowsHash, between: Callable[[int], None]
) -> Split | None:
    """A split by its rows, which are added to the hash of the whole as well."""
    if rows is None:
        return None
    own, before = RowsHash(), whole.num_rows

    def add(row: Row) -> None:
        line = canonical_json(row)
        whole.add_line(line)
        own.add_line(line)

    await drain(rows, add, lambda done: between(before + done))
    return Split(rows, own.num_rows, own.hexdigest()) if own.num_rows else None


def _of_hub(ref: Ref, data: HubDataset) -> _Found:
    """A hub dataset's rows to train on and to measure on. Raises RefError where it has neither."""
    train, test = _train_split(data.splits), _test_split(data.splits)
    if train is None and test is None:
        names = ", ".join(data.splits)
        raise RefError(f"{ref} has no split to train on or to measure on; it has {names}")
    pinned = Ref("hf", ref.name, data.commit, ref.subset)
    name = f"{ref.name}@{data.commit}" + (f"#{ref.subset}" if ref.subset else "")
    return _Found(
        data.splits[train] if train else None,
        data.splits[test] if test else None,
        name,
        data.commit,
        str(pinned),
    )


def _train_split(names: Iterable[str]) -> str | None:
    """`train`, or the only one that begins so."""
    named = [name for name in names if name == "train" or name.startswith("train_")]
    return "train" if "train" in named else named[0] if len(named) == 1 else None


def _test_split(names: Mapping[str, object]) -> str | None:
    """`test`, else `validation`, else the first that begins as `test` does."""
    known = [name for name in ("test", "validation") if name in names]
    return next(iter([*known, *sorted(name for name in names if name.startswith("test_"))]), None)


def _check_pin(text: str, pinned: str | None, now: str | None) -> None:
    if pinned is not None and pinned != now:
        raise RefError(
            f"{text} has changed since this run was submitted "
            f"(sha256 {pinned[:12]} then, {str(now)[:12]} now); "
            "put the old content back, or submit a new run"
        )


def _file_sha256(text: str, ref: Ref) -> str:
    try:
        return sha256_of_file(Path(ref.name))
    except OSError as error:
        raise RefError(f"{text} can't be read: {error.strerror}") from None


def _base_model(folder: Path, name: str, public_name: str | None) -> ResolvedModel:
    sha256 = sha256_of_model(folder)
    node = Node(f"artifact:{sha256}", "model", name, sha256)
    return ResolvedModel(ModelSource(public_name or f"sha256:{sha256}", folder), node)

"""Refs: how configs name models and datasets, and how a name becomes content.

Parsing is pure. Resolving asks the sources that it was given, hashes what it finds, checks the hash
against the run's pin and reports the node, so that lineage is complete without any stage having to
remember it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kitchen_core.content import sha256_of_file, sha256_of_model
from kitchen_core.ports.sources import Builtins, StoredModel, StoredModels
from kitchen_core.telemetry.ports import Node
from kitchen_core.train.hashing import sha256_of_rows
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.ports.datasets import DatasetReader
from kitchen_core.train.ports.hub import ModelHub
from kitchen_core.train.types import ModelSource, Row

RefKind = Literal["builtin", "hf", "file", "run", "model", "artifact"]
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_FORMS = (
    "builtin:NAME, hf:ORG/NAME[@REVISION] or ORG/NAME, file:PATH or ./PATH, run:ID or "
    "run:RECIPE@latest, model:NAME@VERSION, artifact:SHA256"
)


class RefError(ValueError):
    """A ref that can't be read or leads nowhere; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A parsed ref. selector: what stands behind the `@`, if anything."""

    kind: RefKind
    name: str
    selector: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (f"@{self.selector}" if self.selector else "")


def parse_ref(text: str) -> Ref:
    """Read a ref. Raises RefError naming the forms that there are."""
    if text.startswith(("./", "../", "/", "~")) or text in (".", ".."):
        return Ref("file", text)
    kind, colon, rest = text.partition(":")
    if not colon and _HUB_NAME.fullmatch(text):
        return _with_selector("hf", text)
    if not rest:
        raise RefError(f"'{text}' is not a ref; write {_FORMS}")
    match kind:
        case "file":
            return Ref("file", rest)
        case "builtin":
            return Ref("builtin", rest)
        case "artifact":
            return Ref("artifact", rest)
        case "hf" | "run" | "model":
            return _with_selector(kind, rest)
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


def _with_selector(kind: Literal["hf", "run", "model"], rest: str) -> Ref:
    name, _, selector = rest.partition("@")
    return Ref(kind, name, selector or None)


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
class ResolvedDataset:
    """A dataset that a ref led to. test is None where the data brings no split of its own."""

    ref: str
    train: list[Row]
    test: list[Row] | None
    node: Node

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical rows."""
        return self.node.sha256 or ""


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
        hub: Callable[[], ModelHub],
        pins: dict[str, str],
        on_resolved: Callable[[str, Node, str], None],
        pin: Callable[[str, str], None],
    ) -> None:
        self._builtins = builtins
        self._stored = stored
        self._reader = reader
        self._hub = hub
        self._pins = pins
        self._on_resolved = on_resolved
        self._pin = pin

    async def model(self, text: str, role: str = "model") -> ResolvedModel:
        """The model that a ref names. Raises RefError or a port's error."""
        ref, sha256 = self._pinned(text)
        resolved = await self._model(ref)
        _check_pin(text, sha256, resolved.node.sha256)
        if resolved.pin is not None and text not in self._pins:
            self._pin(text, resolved.pin)
        if resolved.base is not None:
            self._on_resolved(text, resolved.base, f"base of {role}")
        self._on_resolved(text, resolved.node, role)
        return resolved

    async def dataset(self, text: str, role: str = "dataset") -> ResolvedDataset:
        """The rows that a ref names. Raises RefError or a port's error."""
        ref, sha256 = self._pinned(text)
        if ref.kind == "file" and sha256 is not None:
            await asyncio.to_thread(check_pinned_file, text, sha256)
        train, test, name = await self._rows(ref)
        if not train:
            raise RefError(f"dataset {text} has no rows")
        content = await asyncio.to_thread(sha256_of_rows, [*train, *(test or [])])
        if ref.kind != "file":
            _check_pin(text, sha256, content)
        node = Node(f"artifact:{content}", "dataset", name, content)
        self._on_resolved(text, node, role)
        return ResolvedDataset(text, train, test, node)

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
                fetched = await self._hub().fetch_model(ref.name, ref.selector)
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

    async def _rows(self, ref: Ref) -> tuple[list[Row], list[Row] | None, str]:
        match ref.kind:
            case "builtin":
                try:
                    train = self._builtins.dataset_rows(ref.name, "train")
                    return train, self._builtins.dataset_rows(ref.name, "test"), str(ref)
                except ValueError as error:
                    raise RefError(str(error)) from None
            case "file":
                return await self._reader().read(Path(ref.name)), None, Path(ref.name).name
            case _:
                raise RefError(f"a dataset can't be read from '{ref}'; use a file or builtin: data")


def _check_pin(text: str, pinned: str | None, now: str | None) -> None:
    if pinned is not None and pinned != now:
        raise RefError(
            f"{text} has changed since this run was submitted "
            f"(sha256 {pinned[:12]} then, {str(now)[:12]} now); "
            f"{_remedy(text)}, or launch a new run"
        )


def _remedy(text: str) -> str:
    if text.startswith("builtin:"):
        return "it comes with Crucible Kitchen: install the version that it was submitted with"
    return "put the old content back"


def check_pinned_file(text: str, pinned: str) -> None:
    """Check that a local file, or model folder, is what it was pinned to.

    Raises RefError where it has changed, or can't be read any more.
    """
    path = Path(parse_ref(text).name)
    try:
        now = sha256_of_model(path) if path.is_dir() else sha256_of_file(path)
    except OSError as error:
        raise RefError(
            f"{text} can't be read: {error.strerror}; put it back, or launch a new run"
        ) from None
    _check_pin(text, pinned, now)


def _base_model(folder: Path, name: str, public_name: str | None) -> ResolvedModel:
    sha256 = sha256_of_model(folder)
    node = Node(f"artifact:{sha256}", "model", name, sha256)
    return ResolvedModel(ModelSource(public_name or f"sha256:{sha256}", folder), node)

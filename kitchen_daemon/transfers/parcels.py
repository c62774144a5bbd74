"""Artifacts made ready to travel: each with its files by path and hash, and an adapter with the model that
it belongs to, so that it can be used where its run is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from kitchen_core.content import model_manifest, sha256_of_file, tree_manifest
from kitchen_core.pins import check_pin
from kitchen_core.ports.sources import StoredModel
from kitchen_core.refs import RefError, parse_ref
from kitchen_core.store.content import ContentKind
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import AdapterBaseRecord, StoredArtifact
from kitchen_core.store.store import Store
from kitchen_core.train.hashing import sha256_of_json
from kitchen_daemon.running.stored import StoredModels


class Label(BaseModel):
    """The note on an artifact at a blob store: what it is, and what an adapter belongs to."""

    kind: ContentKind
    name: str
    size_bytes: int
    base: AdapterBaseRecord | None = None


@dataclass(frozen=True)
class Parcel:
    """An artifact to be sent. folder: where its files lie; hashes: theirs, by their paths in it."""

    sha256: str
    label: Label
    folder: Path
    hashes: Mapping[str, str]


class Packer:
    """Packs what a store holds. Reads all of it, so it takes its time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._models = StoredModels(store)

    def pack(self, what: str, *, every: bool) -> list[Parcel]:
        """The artifacts of a run (its final model, or `every` one), or the one of that hash; before an
        adapter comes its base, where that is content of this machine.

        Raises RefError, and the store's NotFound and Ambiguous.
        """
        parcels: dict[str, Parcel] = {}
        for artifact in self._artifacts(what, every):
            for parcel in self._with_base(artifact):
                parcels.setdefault(parcel.sha256, parcel)
        return list(parcels.values())

    def _artifacts(self, what: str, every: bool) -> list[StoredArtifact]:
        try:
            run = self._store.find_run(what)
        except NotFound:
            found = self._find(what)
            if every:
                raise RefError(
                    f"{what} is an artifact; --all is for the artifacts of a run"
                ) from None
            return [found]
        if every:
            made = self._store.list_artifacts(run.id)
            if not made:
                raise RefError(f"run {run.id} has made nothing yet (it is {run.status})")
            return made
        try:
            return [self._store.get_artifact(run.id, "final")]
        except NotFound:
            raise RefError(
                f"run {run.id} has no final model (it is {run.status}); --all sends what it has made"
            ) from None

    def _find(self, sha256: str) -> StoredArtifact:
        try:
            return self._store.find_artifact(sha256)
        except NotFound:
            raise RefError(f"there is no run or artifact '{sha256}'") from None

    def _with_base(self, artifact: StoredArtifact) -> Iterator[Parcel]:
        if artifact.kind == "file":
            yield _of_file(artifact)
            return
        model = self._models.of_artifact(artifact.sha256)
        root = self._root(model)
        base = None
        if isinstance(root, Parcel):
            yield root
            base = AdapterBaseRecord(ref=f"artifact:{root.sha256}", sha256=root.sha256)
        elif root is not None:
            base = root
        yield _of_tree(model, base)

    def _root(self, model: StoredModel) -> Parcel | AdapterBaseRecord | None:
        """What an adapter belongs to in the end: content of this machine, or a ref that means the same
        on every other. None for a whole model.
        """
        if model.base is None:
            return None
        ref = parse_ref(model.base)
        match ref.kind:
            case "run":
                base = self._models.of_run(ref.name)
            case "artifact":
                base = self._models.of_artifact(ref.name)
            case "model":
                base = self._models.of_registry(ref.name, ref.selector or "latest")
            case "file":
                return _of_model_folder(model.base, Path(ref.name), model.base_sha256)
            case _:
                return AdapterBaseRecord(ref=model.base, sha256=model.base_sha256)
        # An adapter that continued another one contains it: see the resolver.
        return _of_tree(base, None) if base.base is None else self._root(base)


def _of_file(artifact: StoredArtifact) -> Parcel:
    if sha256_of_file(artifact.path) != artifact.sha256:
        raise _damaged(artifact.sha256, artifact.name)
    label = Label(kind="file", name=artifact.name, size_bytes=artifact.size_bytes)
    folder, name = artifact.path.parent, artifact.path.name
    return Parcel(artifact.sha256, label, folder, {name: artifact.sha256})


def _of_tree(model: StoredModel, base: AdapterBaseRecord | None) -> Parcel:
    hashes = tree_manifest(model.path)
    if sha256_of_json(hashes) != model.sha256:
        raise _damaged(model.sha256, model.name)
    size = _size(model.path, hashes)
    label = Label(kind="tree", name=model.name, size_bytes=size, base=base)
    return Parcel(model.sha256, label, model.path, hashes)


def _of_model_folder(ref: str, folder: Path, sha256: str | None) -> Parcel:
    """A base model that lies in a folder of the user's, as the tree that its hash stands for."""
    if not folder.is_dir():
        raise RefError(f"{ref} is the base of this adapter, and is not here any more; put it back")
    hashes = model_manifest(folder)
    now = sha256_of_json(hashes)
    check_pin(ref, sha256, now)
    label = Label(kind="tree", name=folder.name, size_bytes=_size(folder, hashes))
    return Parcel(now, label, folder, hashes)


def _size(folder: Path, hashes: Mapping[str, str]) -> int:
    return sum((folder / path).stat().st_size for path in hashes)


def _damaged(sha256: str, name: str) -> RefError:
    return RefError(
        f"artifact {sha256[:12]} ({name}) is damaged on this machine's disk, so it is not sent"
    )

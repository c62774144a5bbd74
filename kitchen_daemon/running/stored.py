"""The run store as the source of models that refs lead to."""

from __future__ import annotations

from dataclasses import replace

from kitchen_core.ports.sources import StoredModel
from kitchen_core.refs import RefError
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import AdapterBaseRecord, StoredArtifact
from kitchen_core.store.store import Store


class StoredModels:
    """Finds the models that runs have made, or that were brought here."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_run(self, run: str) -> StoredModel:
        """The final model of a run. Raises RefError."""
        try:
            return self._stored(self._store.get_artifact(run, "final"))
        except NotFound:
            status = self._store.get_run(run).status
            raise RefError(f"run {run} has no final model (it is {status})") from None

    def of_artifact(self, sha256: str) -> StoredModel:
        """A stored model tree. Raises RefError."""
        found = self._store.find_artifact(sha256)
        if found.kind != "tree":
            raise RefError(f"artifact {sha256[:12]} ({found.name}) is a file; a model is a tree")
        return self._stored(found)

    def of_registry(self, name: str, version: str) -> StoredModel:
        """A registered model by version or alias. Raises the store's NotFound."""
        return self.of_artifact(self._store.resolve(name, version).artifact_sha256)

    def _stored(self, artifact: StoredArtifact) -> StoredModel:
        tree = StoredModel(artifact.sha256, artifact.path, artifact.name)
        if not (artifact.path / "adapter_config.json").is_file():
            return tree
        base = self._base_of(artifact)
        return replace(tree, base=base.ref, base_sha256=base.sha256)

    def _base_of(self, adapter: StoredArtifact) -> AdapterBaseRecord:
        run_id = adapter.run_id or self._store.maker_of(adapter.sha256)
        if run_id is None:
            kept = self._store.find_base(adapter.sha256)
            if kept is None:
                raise RefError(
                    f"artifact {adapter.sha256[:12]} is an adapter of no run, so its base is unknown"
                )
            return kept
        run = self._store.get_run(run_id)
        model = run.config["model"]
        pin = run.pins.get(model)
        if pin is not None and ":" in pin:
            return AdapterBaseRecord(ref=pin, sha256=None)
        return AdapterBaseRecord(ref=model, sha256=pin)

"""The run store as the source of models that refs lead to."""

from __future__ import annotations

from kitchen_core.ports.sources import StoredModel
from kitchen_core.refs import RefError
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import StoredArtifact
from kitchen_core.store.store import Store


class StoredModels:
    """Finds the models that runs have made."""

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
        is_adapter = (artifact.path / "adapter_config.json").is_file()
        return StoredModel(
            sha256=artifact.sha256,
            path=artifact.path,
            name=artifact.name,
            base=self._base_of(artifact) if is_adapter else None,
        )

    def _base_of(self, artifact: StoredArtifact) -> str:
        """The ref that the adapter's run started from, as it was pinned."""
        if artifact.run_id is None:
            raise RefError(
                f"artifact {artifact.sha256[:12]} is an adapter of no run; its base is unknown"
            )
        run = self._store.get_run(artifact.run_id)
        model = run.config["model"]
        pin = run.pins.get(model, "")
        return pin if ":" in pin else model

"""The shapes of the models that a run names, as far as they are on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest
from kitchen_core.refs import parse_ref
from kitchen_core.store.store import Store
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.model_shape import ModelShape
from kitchen_daemon.launching.pinning import Pinner
from kitchen_daemon.quoting.workloads import Models
from kitchen_daemon.running.stored import StoredModels


class Shapes:
    """Finds them."""

    def __init__(self, store: Store) -> None:
        self._pinner = Pinner(store)
        self._stored = StoredModels(store)

    def of_run(
        self, config: Mapping[str, Any], pins: Mapping[str, str], manifest: Manifest
    ) -> Models | None:
        """The shapes of a run's models; None where one is not known. Raises RefError, NotFound or a PortError."""

        def folder(ref: str) -> Path | None:
            return self._folder(pins[ref] if ":" in pins.get(ref, "") else ref, manifest)

        named = [config.get("teacher"), *config.get("mix_teachers", {}), config.get("kl_reference")]
        before = config.get("reference_model")
        own = folder(config["model"])
        trained = _shape(own)
        teachers = [_shape(folder(ref)) for ref in named if ref]
        reference = _shape(folder(before)) if before else None
        if own is None or trained is None or None in teachers or (before and reference is None):
            return None
        return Models(trained, own, tuple(each for each in teachers if each), reference)

    def _folder(self, text: str, manifest: Manifest) -> Path | None:
        """The folder of the base model that a ref leads to; None where it is not on this machine."""
        ref = parse_ref(text)
        match ref.kind:
            case "artifact" | "model":
                stored = (
                    self._stored.of_artifact(ref.name)
                    if ref.kind == "artifact"
                    else self._stored.of_registry(ref.name, ref.selector or "latest")
                )
                return stored.path if stored.base is None else self._folder(stored.base, manifest)
            case "hf":
                choice = manifest.ports.get("model_hub")
                hub = find_adapters().by_name.get(choice.adapter) if choice else None
                if choice is None or hub is None or hub.kept_model is None:
                    return None
                return hub.kept_model(ref.name, ref.selector, **_only_folder(choice.options))
            case _:
                return self._pinner.base_folder(text)


def _shape(folder: Path | None) -> ModelShape | None:
    if folder is None:
        return None
    return inspect_model_folder(folder, weights=_has_weights(folder)).shape


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))


def _only_folder(options: Mapping[str, Any]) -> dict[str, str | None]:
    return {"folder": options.get("folder")}

"""The identity of what a session starts from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from kitchen_core.content import sha256_of_file
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.types import SessionSpec

_PARTS = ("config.json", "adapter_config.json", "*.safetensors")


def fingerprint(spec: SessionSpec) -> str:
    """SHA-256 over the content of base and adapter, the LoRA settings and the seed; not over where they lie."""
    return sha256_of_json(
        {
            "base": _content(spec.model.folder),
            "adapter": _content(spec.model.adapter) if spec.model.adapter else None,
            "lora": asdict(spec.lora) if spec.lora else None,
            "seed": spec.seed,
        }
    )


def _content(folder: Path) -> dict[str, str]:
    files = sorted(path for pattern in _PARTS for path in folder.glob(pattern))
    return {path.name: sha256_of_file(path) for path in files}

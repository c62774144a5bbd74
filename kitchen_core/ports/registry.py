"""The registry port: named, versioned models."""

from __future__ import annotations

from typing import Protocol


class ModelRegistry(Protocol):
    """Keeps model versions by name."""

    def register(self, name: str, artifact_sha256: str) -> int:
        """Add a version of this run's that points to a stored tree; returns its number, counted
        from 1.
        """
        ...

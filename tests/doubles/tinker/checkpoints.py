"""What outlives a model: its checkpoints, on disk and by path, until they expire or are deleted."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from kitchen_core.train.types import LoraSpec, ModelSource, SessionSpec
from tests.doubles.tinker.refused import Refused

CheckpointType = Literal["training", "sampler", "external"]
SEGMENTS: dict[CheckpointType, str] = {
    "training": "weights",
    "sampler": "sampler_weights",
    "external": "external_weights",
}
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
HOUR_S, TEN_YEARS_S = 3600, 315_360_000
ALPHA = 32
"""Tinker's adapters are scaled by 32 / rank."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a model is made from: a base model and the shape of its adapter.

    The backend behind has no adapter of the output layer: `train_unembed` is kept and told only.
    """

    base_model: str
    rank: int
    seed: int = 0
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True

    def spec(self, base: Path, adapter: Path | None = None) -> SessionSpec:
        """A session on the base model's folder, with a fresh adapter or one to go on from."""
        names = ATTENTION * self.train_attn + MLP * self.train_mlp
        targets = "all-linear" if self.train_attn and self.train_mlp else names
        source = ModelSource(self.base_model, base, adapter)
        return SessionSpec(source, LoraSpec(self.rank, ALPHA, targets), self.seed)


@dataclass(slots=True)
class Checkpoint:
    """Saved weights. Of a training checkpoint the folder holds `state` and `adapter`, of another
    `adapter` alone.
    """

    run: str
    type: CheckpointType
    name: str
    recipe: Recipe
    folder: Path
    time: datetime
    expires_at: datetime | None = None
    user_metadata: dict[str, str] | None = None
    public: bool = False

    @property
    def id(self) -> str:
        """How it is called within its run."""
        return f"{SEGMENTS[self.type]}/{self.name}"

    @property
    def path(self) -> str:
        """How it is called anywhere."""
        return f"tinker://{self.run}/{self.id}"

    @property
    def state(self) -> Path:
        """Where a session's state is: weights and optimizer."""
        return self.folder / "state"

    @property
    def adapter(self) -> Path:
        """Where the weights are, as an adapter in PEFT's form."""
        return self.folder / "adapter"

    def to_json(self) -> dict[str, Any]:
        """As lists tell it."""
        sizes = (file.stat().st_size for file in self.folder.rglob("*") if file.is_file())
        return {
            "checkpoint_id": self.id,
            "checkpoint_type": self.type,
            "time": self.time.isoformat(),
            "tinker_path": self.path,
            "size_bytes": sum(sizes),
            "public": self.public,
            "user_metadata": self.user_metadata,
            "expires_at": self.expires_at and self.expires_at.isoformat(),
        }


@dataclass
class Checkpoints:
    """All checkpoints that there are. now: the clock that they expire by."""

    folder: Path
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    _kept: dict[str, Checkpoint] = field(default_factory=dict)
    _made: int = 0

    def reserve(
        self,
        run: str,
        kind: CheckpointType,
        recipe: Recipe,
        sent: dict[str, Any],
    ) -> Checkpoint:
        """A checkpoint to be written, as a save request wants it. Raises Refused where it can't be."""
        self._made += 1
        ttl = sent.get("ttl_seconds")
        made = Checkpoint(
            run=run,
            type=kind,
            name=sent.get("path") or f"unnamed-{self._made}",
            recipe=recipe,
            folder=self.folder / f"{self._made:06d}",
            time=self.now,
            expires_at=self._expiry(ttl),
            user_metadata=sent.get("user_metadata"),
        )
        if "/" in made.name:
            raise Refused(400, f"the name {made.name!r} holds a slash")
        if self._alive(made.path) and not sent.get("overwrite"):
            raise Refused(400, f"{made.path} exists already")
        return made

    def keep(self, checkpoint: Checkpoint) -> None:
        """It is written: it can be found."""
        self._kept[checkpoint.path] = checkpoint

    def find(self, path: str) -> Checkpoint:
        """Raises Refused where there is none, or none any more."""
        if not path.startswith("tinker://"):
            raise Refused(400, f"{path!r} is no tinker:// path")
        found = self._alive(path)
        if found is None:
            raise Refused(404, f"there is no checkpoint {path}")
        return found

    def list(self, run: str | None = None) -> list[Checkpoint]:
        """Those of a run, or all, in the order in which they were made."""
        alive = [kept for path, kept in self._kept.items() if self._alive(path)]
        return [kept for kept in alive if run in (None, kept.run)]

    def delete(self, path: str) -> None:
        """Forget it and its files."""
        shutil.rmtree(self.find(path).folder)
        del self._kept[path]

    def set_ttl(self, path: str, ttl_seconds: int | None) -> None:
        """Let it expire so many seconds from now; None: never."""
        self.find(path).expires_at = self._expiry(ttl_seconds)

    def _expiry(self, ttl: int | None) -> datetime | None:
        if ttl is None:
            return None
        if not HOUR_S <= ttl <= TEN_YEARS_S:
            raise Refused(400, f"ttl_seconds is {ttl}, not between an hour and ten years")
        return self.now + timedelta(seconds=ttl)

    def _alive(self, path: str) -> Checkpoint | None:
        kept = self._kept.get(path)
        expired = kept and kept.expires_at and kept.expires_at <= self.now
        return None if expired else kept

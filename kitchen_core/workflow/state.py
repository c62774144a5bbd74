"""The run state: what stages hand to each other, by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kitchen_core.train.hashing import canonical_json, sha256_of_json
from kitchen_core.workflow.stage import Keeping, Stage


class StateError(RuntimeError):
    """A stage touched the run state in a way that it had not declared."""


class RunState:
    """The values of a run, each durable or rebuilt."""

    def __init__(self, durable: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = dict(durable or {})
        self._keeping: dict[str, Keeping] = dict.fromkeys(self._values, Keeping.DURABLE)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def put(self, key: str, value: Any, keeping: Keeping) -> None:
        """Set a value.

        A durable one must be JSON; StateError otherwise, for a checkpoint would lose it.
        """
        if keeping is Keeping.DURABLE:
            _check_json(key, value)
        self._values[key] = value
        self._keeping[key] = keeping

    def forget(self, keys: set[str]) -> None:
        """Drop rebuilt keys: those of a loop's turn that is over."""
        for key in keys:
            if self._keeping.get(key) is Keeping.REBUILT:
                del self._values[key], self._keeping[key]

    def fork(self) -> RunState:
        """A state that begins with these values. What is put into either stays out of the other."""
        fork = RunState()
        fork._values = dict(self._values)
        fork._keeping = dict(self._keeping)
        return fork

    def keys(self) -> set[str]:
        """Every key that has a value."""
        return set(self._values)

    def durable(self) -> dict[str, Any]:
        """The durable values, as a checkpoint keeps them."""
        return {k: v for k, v in self._values.items() if self._keeping[k] is Keeping.DURABLE}

    def rebuilt(self) -> dict[str, Any]:
        """The rebuilt values, which must come out the same in another process."""
        return {k: v for k, v in self._values.items() if self._keeping[k] is Keeping.REBUILT}


class StateView:
    """What one stage may see and set of the run state: what it declared."""

    def __init__(self, state: RunState, stage: Stage) -> None:
        self._state = state
        self._stage = stage
        self._written: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        if key not in self._stage.reads and key not in self._stage.writes:
            raise StateError(f"stage {self._stage.name} reads '{key}' without declaring it")
        if key not in self._state:
            raise StateError(f"stage {self._stage.name} reads '{key}', which has no value")
        return self._state[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._stage.writes:
            raise StateError(f"stage {self._stage.name} writes '{key}' without declaring it")
        self._state.put(key, value, self._stage.writes[key])
        self._written.add(key)

    def get(self, key: str, default: Any = None) -> Any:
        """A declared key's value, or the default where it has none yet."""
        return self[key] if key in self._state else default

    def check_written(self) -> None:
        """Raise StateError where a declared key was left without a value."""
        missing = [key for key in self._stage.writes if key not in self._state]
        if missing:
            raise StateError(
                f"stage {self._stage.name} declares '{missing[0]}' and did not write it"
            )


def content_hash(key: str, value: Any) -> str:
    """What tells whether a rebuilt value came out the same: its `fingerprint`, or the hash of
    its JSON.
    """
    fingerprint = getattr(value, "fingerprint", None)
    if isinstance(fingerprint, str):
        return fingerprint
    try:
        return sha256_of_json(value)
    except TypeError:
        raise StateError(
            f"'{key}' is a rebuilt {type(value).__name__} with neither a fingerprint nor a JSON form"
        ) from None


def _check_json(key: str, value: Any) -> None:
    try:
        canonical_json(value)
    except TypeError as error:
        raise StateError(f"'{key}' is durable and must be JSON: {error}") from None

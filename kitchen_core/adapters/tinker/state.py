"""A session's state as a file: where the service keeps it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from kitchen_core.adapters.checks import make_empty_folder
from kitchen_core.train.ports.errors import InvalidRequest, NotFound

_FORMAT = "tinker/1"
_FILE = "state.json"


@dataclass(frozen=True, slots=True)
class SavedState:
    """path: at the service. steps: optimizer steps behind it. base, rank: of which model and adapter."""

    path: str
    steps: int
    base: str
    rank: int

    def write(self, folder: Path) -> None:
        """Write it into an empty folder and wait until it is on disk."""
        make_empty_folder(folder)
        text = json.dumps({"format": _FORMAT} | asdict(self), indent=2, sort_keys=True)
        (folder / _FILE).write_text(text + "\n", encoding="utf-8")
        for path in (folder / _FILE, folder):
            _sync(path)

    def check_fit(self, folder: Path, base: str, rank: int) -> None:
        """Raises InvalidRequest where it is the state of another model or adapter."""
        if (self.base, self.rank) != (base, rank):
            raise InvalidRequest(
                f"the state in {folder} does not fit: it is of {self.base} with rank {self.rank}, "
                f"the session has {base} with rank {rank}",
                hint="Use the model and the LoRA settings that the state was saved with.",
            )


def read_state(folder: Path) -> SavedState:
    """What `SavedState.write` wrote. Raises NotFound, or InvalidRequest for a damaged file."""
    path = folder / _FILE
    if not path.is_file():
        raise NotFound(
            f"{folder} holds no training state ({_FILE} is missing)",
            hint="Give a folder that save_state has written.",
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts.pop("format") == _FORMAT:
            return SavedState(**facts)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise InvalidRequest(
        f"{path} is damaged, or of another backend",
        hint="Resume from an earlier checkpoint, or start the run again.",
    )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

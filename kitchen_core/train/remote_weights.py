"""An adapter whose weights a service keeps: the note in an adapter folder that says where.

A folder may hold both the note and the weights; then any backend can load it, and the service can
go on from its own copy.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from kitchen_core.train.ports.errors import InvalidRequest

FILE = "remote_weights.json"


@dataclass(frozen=True, slots=True)
class RemoteWeights:
    """Where a service keeps an adapter's weights.

    kept_by: the kitchen's adapter that reaches the service. base: what the service calls the base
    model. training, sampler: paths at the service, to go on from and to sample from.
    """

    kept_by: str
    base: str
    training: str
    sampler: str

    def write(self, folder: Path) -> None:
        """Put the note into a folder."""
        text = json.dumps(asdict(self), indent=2, sort_keys=True)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read_remote_weights(folder: Path) -> RemoteWeights | None:
    """The note of an adapter folder, None where there is none. Raises InvalidRequest where it can't be
    read.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return RemoteWeights(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InvalidRequest(
            f"{path} can't be read: {error}", hint="Take the artifact from the store again."
        ) from None

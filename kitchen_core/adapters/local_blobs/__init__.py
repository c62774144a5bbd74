"""Content-addressed files in a folder of this machine: a second disk, or one that others share."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from kitchen_core.train.ports.adapter import Adapter
from kitchen_core.train.ports.blobs import BlobStore


def _connect(folder: str | None = None) -> BlobStore:
    from kitchen_core.adapters.local_blobs.blobs import LocalBlobs

    if folder:
        return LocalBlobs(Path(folder).expanduser())
    # Not below the kitchen's own home, which lies at user_data_path("crucible-kitchen").
    return LocalBlobs(platformdirs.user_data_path("crucible-kitchen-blobs"))


adapter = Adapter(
    name="local_blobs",
    summary="Content-addressed files in a folder: another disk, or one that machines share",
    ports={"blob_store": _connect},
    options={
        "folder": "Where they are kept; left out: crucible-kitchen-blobs in the user's data folder"
    },
)

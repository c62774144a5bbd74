"""Content-addressed files at any address that fsspec knows: S3 and the like, the hub, a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kitchen_core.train.ports.adapter import Adapter
from kitchen_core.train.ports.blobs import BlobStore

SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "HF_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
    "SFTP_PASSWORD",
)


def _connect(
    secrets: Mapping[str, str], url: str, options: Mapping[str, Any] | None = None
) -> BlobStore:
    from kitchen_core.adapters.fsspec.address import Address
    from kitchen_core.adapters.fsspec.blobs import FsspecBlobs

    return FsspecBlobs(Address(url, options or {}, secrets))


adapter = Adapter(
    name="fsspec",
    summary="Content-addressed files at an address: s3://, gs://, abfs://, hf://, sftp://, https://",
    ports={"blob_store": _connect},
    optional_secrets=SECRETS,
    offline=False,
    extra="s3",
    options={
        "url": "Where they are kept, such as s3://BUCKET/FOLDER",
        "options": "A table of settings for the file system, such as endpoint_url; keys are secrets",
    },
)

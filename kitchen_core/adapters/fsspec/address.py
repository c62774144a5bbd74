"""Where blobs are kept, and the file system that reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import fsspec

from kitchen_core.train.ports.errors import InvalidRequest, Unsupported

_SAME_AS = {"s3a": "s3", "gcs": "gs", "az": "abfs", "abfss": "abfs", "ssh": "sftp", "https": "http"}
_KEYS: Mapping[str, Mapping[str, str]] = {
    "s3": {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
    },
    "hf": {"HF_TOKEN": "token"},
    "gs": {"GOOGLE_APPLICATION_CREDENTIALS": "token"},
    "abfs": {
        "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
        "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
        "AZURE_STORAGE_CONNECTION_STRING": "connection_string",
    },
    "sftp": {"SFTP_PASSWORD": "password"},
}
"""Which secret is which parameter of a file system."""

_BROUGHT_BY = {
    "s3": "crucible-kitchen[s3]",
    "gs": "gcsfs",
    "abfs": "adlfs",
    "sftp": "paramiko",
    "http": "aiohttp",
    "smb": "smbprotocol",
}
_WHOLE_OR_NOT = frozenset({"s3", "gs", "abfs", "hf"})
"""Where a file is seen only once it has been sent whole. There a move would copy it all again."""


@dataclass(frozen=True)
class Address:
    """A URL, the settings of its file system, and the secrets to pick its keys from."""

    url: str
    options: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def protocol(self) -> str:
        """The kind of place: `s3`, `hf`, `file`, ..."""
        scheme, found, _ = self.url.partition("://")
        return _SAME_AS.get(scheme, scheme) if found else "file"

    @property
    def place(self) -> str:
        """The URL as people may see it: without a password, or a signature behind a `?`."""
        if "://" not in self.url:
            return self.url
        parts = urlsplit(self.url)
        user, at, host = parts.netloc.rpartition("@")
        return f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}".rstrip("/")

    @property
    def appears_whole(self) -> bool:
        """Whether a file there has its name only once it is whole."""
        return self.protocol in _WHOLE_OR_NOT

    @property
    def key_names(self) -> tuple[str, ...]:
        """The secrets that open this kind of place."""
        return tuple(_KEYS.get(self.protocol, ()))

    def redacted(self, text: str) -> str:
        """Text of others, without this place's keys."""
        for name in self.key_names:
            if value := self.secrets.get(name):
                text = text.replace(value, "***")
        return text.replace(self.url, self.place)

    def open(self) -> tuple[fsspec.AbstractFileSystem, str]:
        """The file system and the folder in it. Blocks. Raises Unsupported or InvalidRequest, and what
        the file system raises.
        """
        if "::" in self.url:
            raise InvalidRequest(
                f"{self.place} is a chain of file systems", hint="Name the place itself."
            )
        keys = {
            parameter: self.secrets[name]
            for name, parameter in _KEYS.get(self.protocol, {}).items()
            if self.secrets.get(name)
        }
        # What others put there meanwhile has to be seen, so nothing is kept of what was listed.
        unshared = {"skip_instance_cache": True, "use_listings_cache": False}
        try:
            fs, folder = fsspec.core.url_to_fs(self.url, **unshared, **keys, **self.options)
        except ImportError as error:
            package = _BROUGHT_BY.get(self.protocol)
            hint = f"pip install '{package}'" if package else str(error)
            raise Unsupported(
                f"what reaches {self.protocol}:// is not installed", hint=hint
            ) from error
        except ValueError as error:
            raise InvalidRequest(
                f"{self.place} can't be read as an address: {error}",
                hint="Write PROTOCOL://PLACE, such as s3://BUCKET/FOLDER.",
            ) from error
        except TypeError as error:
            raise InvalidRequest(
                f"the file system of {self.protocol}:// does not take these options: {error}",
                hint="See options under [ports.blob_store] in the manifest.",
            ) from error
        return fs, folder.rstrip("/")

"""What goes over the socket about artifacts on their way to a blob store, and back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kitchen_daemon.models.base import Model, Problem


class BlobChoice(Model):
    """Which blob store: a manifest, and other adapters than its own by port."""

    manifest: str = "dev"
    adapters: dict[str, str] = Field(default_factory=dict)


class PushRequest(BlobChoice):
    """Something to be kept elsewhere: a run, or an artifact by the start of its SHA-256. every: all that
    the run has made, not only its final model.
    """

    what: str
    every: bool = False


class PullRequest(BlobChoice):
    """An artifact to be brought here, by its whole SHA-256."""

    sha256: str


class Begun(Model):
    """An artifact sets out."""

    sha256: str
    name: str
    files: int
    size_bytes: int
    place: str


class FileProgress(Model):
    """How far one file of the artifact that set out last is: on its way, arrived, or there before."""

    path: str
    size_bytes: int
    done_bytes: int
    state: Literal["moving", "moved", "there"]


class Transferred(Model):
    """An artifact that is whole where it was to go.

    size_bytes: all of it. moved_files, moved_bytes: what was not there before. base: the model that it
    is an adapter of, as a ref.
    """

    sha256: str
    name: str
    kind: Literal["file", "tree"]
    files: int
    size_bytes: int
    moved_files: int
    moved_bytes: int
    place: str
    base: str | None = None


class TransferItem(Model):
    """One line of a transfer's stream. Exactly one is set; `done` or `problem` is the last, a problem with
    the status that a request would be refused with.
    """

    begun: Begun | None = None
    file: FileProgress | None = None
    notice: str | None = None
    done: list[Transferred] | None = None
    problem: Problem | None = None
    status: int | None = None

"""What goes over the socket of the model hub: finding models, and taking a run's there."""

from __future__ import annotations

from kitchen_daemon.models.base import Model


class HubModelInfo(Model):
    """A model repository as a list shows it. changed_at: seconds since the epoch."""

    repo: str
    gated: bool
    downloads: int
    changed_at: float | None


class UploadRequest(Model):
    """Where a run's final model is to go. repo: ORG/NAME. manifest: whose hub it is."""

    repo: str
    private: bool = True
    manifest: str = "dev"


class UploadPlan(Model):
    """What an upload would take to the hub. card: its README.md."""

    run: str
    repo: str
    sha256: str
    size_bytes: int
    card: str


class UploadInfo(Model):
    """A model that was taken to the hub: its page, and the commit that it became."""

    run: str
    repo: str
    url: str
    commit: str
    sha256: str
    size_bytes: int

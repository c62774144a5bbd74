"""Calls about the daemon itself, its recipes and its adapters."""

from __future__ import annotations

from kitchen_daemon.client.connection import Connection, given
from kitchen_daemon.models import (
    AdapterInfo,
    AdaptersInfo,
    Check,
    DaemonStatus,
    RecipeDetail,
    RecipeSummary,
)


class DaemonCalls(Connection):
    """The daemon, its recipes, its adapters."""

    def status(self) -> DaemonStatus:
        """The daemon, at a glance."""
        return self._one(DaemonStatus, "GET", "/status")

    def doctor(self, *, probe: bool = False) -> list[Check]:
        """What works here and what is missing; `probe` asks the services too."""
        return self._many(Check, "GET", "/doctor", params={"probe": probe})

    def manifests(self) -> list[str]:
        """The names that a manifest can be asked for by."""
        return self._call("GET", "/manifests").json()

    def adapters(self, manifest: str = "dev", *, probe: bool = False) -> AdaptersInfo:
        """A manifest's ports and how each stands; `probe` asks whether it can be reached."""
        params = {"manifest": manifest, "probe": probe}
        return self._one(AdaptersInfo, "GET", "/adapters", params=params)

    def adapter(self, name: str) -> AdapterInfo:
        """One adapter, by name."""
        return self._one(AdapterInfo, "GET", "/adapter", params={"name": name})

    def shutdown(self) -> None:
        """Stop the daemon; workers go on."""
        self._call("POST", "/shutdown")

    def recipes(self) -> list[RecipeSummary]:
        """All recipes, shipped and own."""
        return self._many(RecipeSummary, "GET", "/recipes")

    def recipe(self, name: str, revision: str | None = None) -> RecipeDetail:
        """One recipe whole, by name or path; as it is now, or a revision: `good`, or a SHA-256."""
        params = given({"name": name, "revision": revision})
        return self._one(RecipeDetail, "GET", "/recipe", params=params)

"""The model hub, asked with this home's token: finding base models, and taking a run's model there."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from kitchen_core.adapters.manifest import resolve_manifest
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.config import ConfigError
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.refs import RefError
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import RunRecord, StoredArtifact
from kitchen_core.store.store import Store
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.ports.hub import ModelHub
from kitchen_core.workflow.checkpoint import ResumeError
from kitchen_daemon.hub.cards import make_card
from kitchen_daemon.launching.checking import read_apart
from kitchen_daemon.models import HubModelInfo, UploadInfo, UploadPlan, UploadRequest
from kitchen_daemon.running.resuming import recipe_file
from kitchen_daemon.secrets import read_secrets

FINAL = "final"


class Hub:
    """What a home asks of model hubs."""

    def __init__(self, home: Home, store: Store) -> None:
        self._home = home
        self._store = store

    async def find(self, query: str, manifest: str, limit: int) -> list[HubModelInfo]:
        """Models whose name has the query in it. Raises ManifestError or a port's error."""
        hub = await self._connected(manifest)
        found = await hub.list_models(query, limit)
        return [HubModelInfo(**asdict(entry)) for entry in found]

    def plan(self, run: RunRecord, request: UploadRequest) -> UploadPlan:
        """What an upload would take there, the card included. Blocks.

        Raises RefError where the run has no final model, or a port's error where that can't be
        loaded from its folder.
        """
        final = self._final(run)
        return UploadPlan(
            run=run.id,
            repo=request.repo,
            sha256=final.sha256,
            size_bytes=final.size_bytes,
            card=make_card(self._store, run, final.path, request.repo, self._defaults(run)),
        )

    async def upload(self, run: RunRecord, request: UploadRequest) -> UploadInfo:
        """Take the run's final model there. Raises as `plan`, and as the hub's `upload_model`."""
        hub = await self._connected(request.manifest)
        plan = await asyncio.to_thread(self.plan, run, request)
        final = self._store.find_artifact(plan.sha256)
        made = await hub.upload_model(final.path, request.repo, plan.card, private=request.private)
        return UploadInfo(
            run=run.id,
            repo=request.repo,
            url=made.url,
            commit=made.commit,
            sha256=plan.sha256,
            size_bytes=plan.size_bytes,
        )

    async def _connected(self, manifest: str) -> ModelHub:
        wiring = Wiring(resolve_manifest(manifest, {}, self._home.root), read_secrets(self._home))
        return await asyncio.to_thread(wiring.connect, "model_hub")  # it imports an SDK

    def _final(self, run: RunRecord) -> StoredArtifact:
        try:
            final = self._store.get_artifact(run.id, FINAL)
        except NotFound:
            raise RefError(f"run {run.id} has no final model (it is {run.status})") from None
        if not self._store.is_whole(final):
            raise RefError(f"the files in {final.path} are not those that run {run.id} saved")
        inspect_model_folder(final.path)
        return final

    def _defaults(self, run: RunRecord) -> dict[str, object]:
        """The recipe's own settings; none where its revision can't be read any more."""
        try:
            return read_apart(recipe_file(self._store, run)).config
        except (ResumeError, RecipeError, ConfigError):
            return {}

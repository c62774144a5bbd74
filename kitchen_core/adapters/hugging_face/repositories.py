"""Repositories of a hub as plain local folders."""

from __future__ import annotations

import asyncio
import logging
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from huggingface_hub import HfApi
from huggingface_hub.utils import disable_progress_bars, validate_repo_id

from kitchen_core.adapters.hugging_face.access import Access, Asking, Kind
from kitchen_core.adapters.hugging_face.client import ask_once
from kitchen_core.adapters.hugging_face.download import Download
from kitchen_core.adapters.hugging_face.failures import translated
from kitchen_core.adapters.hugging_face.listing import list_files
from kitchen_core.adapters.hugging_face.snapshots import (
    COMMIT,
    Snapshots,
    what_is_wrong,
    write_record,
)
from kitchen_core.adapters.stoppable import Stopped
from kitchen_core.folder_locks import alone_in
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.train.ports.errors import Unavailable
from kitchen_core.train.ports.notices import Notice, Notify, nobody

log = logging.getLogger(__name__)

_LOOK_S = 0.2  # how often to look whether another process has done with a repository


@dataclass(frozen=True, slots=True)
class Wish:
    """What of a repository is asked for. part: the name of a part of it; instead: what would do as
    well, if it is here. ref: as a user writes it, with COMMIT for the commit.
    """

    repo: str
    revision: str | None
    part: str | None
    ref: str
    instead: tuple[str | None, ...] = ()

    @property
    def parts(self) -> Sequence[str | None]:
        """All that would do."""
        return (self.part, *self.instead)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository's files at one commit."""

    folder: Path
    commit: str


class Repositories(ABC):
    """Fetches into `folder/ORG/NAME/COMMIT`, where a folder appears only when it is complete.

    A subclass says what kind of repository, and which files of it are wanted.
    """

    kind: Kind
    port: PortName

    def __init__(self, access: Access, folder: Path, notify: Notify = nobody) -> None:
        disable_progress_bars()
        ask_once()
        self._api = HfApi(endpoint=access.endpoint, token=access.token or False)
        self._access = access
        self._folder = folder
        self._notify = notify

    async def probe(self) -> str:
        """Whether the hub answers, and as whom it sees us. Raises AuthError, Unavailable or Timeout."""
        with translated(self._asking("probe")):
            return await asyncio.to_thread(self._probe)

    @abstractmethod
    def _wanted(self, names: list[str], download: Download) -> list[str]:
        """Those of the repository's files that are fetched."""

    @abstractmethod
    def _complete(self, download: Download) -> None:
        """Last touches to files that are all there."""

    async def _fetched(self, wish: Wish) -> Fetched:
        """The repository, or a part of it, on this machine; a commit that is here already needs no
        network. Raises the hub's failures as PortErrors.
        """
        asking = self._asking(f"fetch {wish.repo}", wish.repo)
        stop = Event()
        try:
            with translated(asking):
                validate_repo_id(wish.repo)  # before it becomes part of a path
                if wish.revision and COMMIT.fullmatch(wish.revision):
                    here = await asyncio.to_thread(self._here, wish, wish.revision)
                    if here is not None:
                        return here
                return await asyncio.to_thread(self._fetch, wish, stop)
        except Unavailable as error:
            error.hint = await asyncio.to_thread(self._without_hub, wish) or error.hint
            raise
        finally:
            stop.set()

    def _fetch(self, wish: Wish, stop: Event) -> Fetched:
        # Asked first: whoever may not read a repository is not given what is left here of it.
        self._api.auth_check(wish.repo, repo_type=self.kind)
        ask = self._api.model_info if self.kind == "model" else self._api.dataset_info
        commit = str(ask(wish.repo, revision=wish.revision).sha)
        with alone_in(self._snapshots(wish).folder, self._waiting(wish, stop)):
            return self._here(wish, commit) or self._bring(wish, commit, stop)

    def _bring(self, wish: Wish, commit: str, stop: Event) -> Fetched:
        place = self._snapshots(wish).place(commit, wish.part)
        partial = place.with_name(f"{place.name}.partial")
        if place.is_dir():  # it was whole once
            log.warning("%s: %s; fetching what is missing", place, what_is_wrong(place))
            shutil.rmtree(partial, ignore_errors=True)
            place.rename(partial)
        listed = list_files(self._api, self.kind, wish.repo, commit)
        tell = self._telling(f"fetch {wish.repo}")
        download = Download(
            self._api, self.kind, wish.repo, commit, wish.part, partial, listed, tell, stop
        )
        names = self._wanted(list(listed), download)
        download.all(names)
        download.leave_only(names)
        self._complete(download)
        write_record(partial, names)
        partial.rename(place)
        return Fetched(place, commit)

    def _here(self, wish: Wish, commit: str) -> Fetched | None:
        place = self._snapshots(wish).find(commit, wish.parts)
        return Fetched(place, commit) if place is not None else None

    def _without_hub(self, wish: Wish) -> str | None:
        """What to do while the hub can't be reached, None where nothing helps."""
        snapshots, revision = self._snapshots(wish), wish.revision or ""
        if COMMIT.fullmatch(revision):
            place = snapshots.place(revision, wish.part)
            wrong = what_is_wrong(place) if place.is_dir() else None
            return wrong and f"What is here of it is damaged: {wrong}. Try again with a network."
        newest = snapshots.newest(wish.parts)
        return newest and f"{wish.ref.replace('COMMIT', newest)} is here, and needs no network."

    def _waiting(self, wish: Wish, stop: Event) -> Callable[[], None]:
        """What to do while another process has the repository: say so once, and look at `stop`."""
        told = False

        def wait() -> None:
            nonlocal told
            if not told:
                self._telling(f"fetch {wish.repo}")(f"another process is fetching {wish.repo}")
                told = True
            if stop.wait(_LOOK_S):
                raise Stopped

        return wait

    def _telling(self, asked: str) -> Callable[[str], None]:
        def tell(line: str) -> None:
            log.info("%s", line)
            self._notify(Notice("waiting", self.port, "hugging_face", asked, line))

        return tell

    def _probe(self) -> str:
        if self._access.token is not None:
            return f"reachable as {self._api.whoami()['name']}"
        next(iter(self._api.list_models(limit=1)), None)
        return "reachable, without a token"

    def _asking(self, asked: str, repo: str | None = None) -> Asking:
        return Asking(self._access, self.port, self.kind, asked, repo)

    def _snapshots(self, wish: Wish) -> Snapshots:
        return Snapshots(self._folder / wish.repo)

"""One download: files of a repository, each held against what the hub lists."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from huggingface_hub import HfApi, hf_hub_download

from kitchen_core.adapters.hugging_face.access import Kind
from kitchen_core.adapters.hugging_face.listing import ListedFile
from kitchen_core.adapters.hugging_face.progress import Progress, bar_class, size
from kitchen_core.train.ports.errors import PortError, Unavailable

log = logging.getLogger(__name__)

AT_ONCE = 8
_NOTES = ".cache"  # where the client notes what it has fetched


@dataclass(frozen=True, slots=True)
class Download:
    """A download under way, into `folder`, where an earlier attempt may have left files.

    listed: what the hub says is there. tell: takes a line about how far it is. stop: set when nobody
    waits any more.
    """

    api: HfApi
    kind: Kind
    repo: str
    commit: str
    part: str | None
    folder: Path
    listed: Mapping[str, ListedFile]
    tell: Callable[[str], None]
    stop: Event

    def one(self, name: str) -> Path:
        """A single file, ahead of the others."""
        self.all([name])
        return self.folder / name

    def all(self, names: Iterable[str]) -> None:
        """These files, byte for byte as the hub lists them. Raises Unavailable, Stopped or OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files = [self.listed[name] for name in names]
        missing = [file for file in files if not file.is_at(self.folder / file.path)]
        total = sum(file.size for file in missing)
        log.info(
            "fetching %s@%s: %d files, %s", self.repo, self.commit[:7], len(missing), size(total)
        )
        self._check_room(total)
        progress = Progress(f"fetching {self.repo}", total, self.tell, self.stop)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            coming = [pool.submit(self._bring, file, progress) for file in missing]
            done, _ = wait(coming, return_when=FIRST_EXCEPTION)
            failed = [future for future in done if future.exception()]
            if failed:  # the others need not go on
                self.stop.set()
                pool.shutdown(cancel_futures=True)
        for future in failed:
            future.result()

    def leave_only(self, names: Iterable[str]) -> None:
        """Remove what does not belong, such as the client's own notes."""
        shutil.rmtree(self.folder / _NOTES, ignore_errors=True)
        wanted = {self.folder / name for name in names}
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in wanted:
                path.unlink()

    def _bring(self, file: ListedFile, progress: Progress) -> None:
        """A file, and once more where its first copy is damaged."""
        path = self.folder / file.path
        for again in (False, True):
            # With any file in its place, the client would take that for the answer to a refusal.
            path.unlink(missing_ok=True)
            if self._get(file, progress, again) and file.is_at(path):
                return
            log.warning("%s of %s came damaged", file.path, self.repo)
        path.unlink(missing_ok=True)
        raise Unavailable(
            f"{file.path} of {self.repo} came damaged twice: its bytes are not those that the hub lists",
            hint="Try again later.",
        )

    def _get(self, file: ListedFile, progress: Progress, again: bool) -> bool:
        """Whether a file came in its full length. again: not out of the client's own cache."""
        try:
            hf_hub_download(
                self.repo,
                file.path,
                revision=self.commit,
                repo_type=self.kind,
                local_dir=self.folder,
                force_download=again,
                endpoint=self.api.endpoint,
                token=self.api.token,
                tqdm_class=bar_class(progress),
            )
        except OSError as error:
            if error.errno is None and "Consistency check failed" in str(error):
                return False
            raise
        return True

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise PortError(
                f"{self.repo} needs {size(needed)}, and {size(free)} are free in {self.folder.parent}",
                hint="Make room, or name another `folder` for the hub in the manifest.",
            )

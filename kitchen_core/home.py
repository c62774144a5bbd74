"""Where everything lies: the kitchen's home folder and what is in it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

SOCKET_PATH_LIMIT = (
    107  # bytes, without the closing NUL: what a Unix socket address can hold on Linux
)


@dataclass(frozen=True)
class Home:
    """One kitchen. Two homes share nothing."""

    root: Path

    @classmethod
    def find(cls, environ: dict[str, str] | None = None) -> Home:
        """`$KITCHEN_HOME`, else the user's data folder."""
        given = (os.environ if environ is None else environ).get("KITCHEN_HOME")
        if given:
            return cls(Path(given).expanduser().resolve())
        return cls(platformdirs.user_data_path("crucible-kitchen").resolve())

    @property
    def database(self) -> Path:
        """The run store's file."""
        return self.root / "kitchen.db"

    @property
    def runtime(self) -> Path:
        """Socket and locks; mode 0700."""
        return self.root / "run"

    @property
    def daemon_file(self) -> Path:
        """JSON that names the daemon's socket, pid, start time and boot id."""
        return self.root / "daemon.json"

    @property
    def daemon_lock(self) -> Path:
        """Held by the one daemon of this home."""
        return self.root / "daemon.lock"

    @property
    def daemon_log(self) -> Path:
        """What the daemon says."""
        return self.root / "logs" / "daemon.log"

    @property
    def recipes(self) -> Path:
        """The user's own recipes."""
        return self.root / "recipes"

    @property
    def secrets(self) -> Path:
        """`NAME=value` lines with keys; mode 0600."""
        return self.root / "secrets.env"

    @property
    def settings(self) -> Path:
        """What the daemon of this home is told, as TOML; need not be there."""
        return self.root / "kitchen.toml"

    @property
    def scratch(self) -> Path:
        """Files on their way into the store, on the same filesystem."""
        return self.root / "scratch"

    @property
    def cache(self) -> Path:
        """What can be made again at any time; deleting it loses nothing but time."""
        return self.root / "cache"

    @property
    def socket(self) -> Path:
        """The daemon's socket; a short path with a hash of the home where the usual one is too
        long.
        """
        usual = self.runtime / "kitchen.sock"
        if len(os.fsencode(usual)) <= SOCKET_PATH_LIMIT:
            return usual
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return (
            Path("/tmp") / f"kitchen-{os.getuid()}-{digest}" / "kitchen.sock"
        )  # the same for all callers

    def run_folder(self, run_id: str) -> Path:
        """A run's logs and locks."""
        return self.root / "runs" / run_id

    def attempt_log(self, run_id: str, attempt: int) -> Path:
        """What an attempt's worker printed."""
        return self.run_folder(run_id) / f"attempt-{attempt}.log"

    def attempt_scratch(self, run_id: str, attempt: int) -> Path:
        """An attempt's files on their way into the store; gone with it."""
        return self.scratch / f"{run_id}-{attempt}"

    def make(self) -> None:
        """Create the folders, private to the user. Raises OSError where that can't be."""
        for folder in (
            self.root,
            self.runtime,
            self.socket.parent,
            self.daemon_log.parent,
            self.scratch,
            self.cache,
            self.recipes,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.root, self.runtime, self.socket.parent):
            if folder.stat().st_uid != os.getuid():
                raise PermissionError(f"{folder} belongs to another user")
            folder.chmod(0o700)

"""A real Tinker server for slow tests, in a process group of its own.

KITCHEN_TEST_TINKER is the command that starts one. It is called with a port and a work folder, and serves
the model in WORK_FOLDER/model on 127.0.0.1 under that folder's path as its name. All that it keeps lies in
the work folder, so that the same command on the same folder goes on from there.

For SkyRL's server a command may look like this; the cache of compiled functions saves minutes:

    #!/bin/sh
    ln -sfn ~/.cache/tinker-server/jax "$2/jax"
    JAX_COMPILATION_CACHE_DIR="$2/jax" exec python serve.py --port "$1" --base-model "$2/model" \\
      --checkpoints-base "$2/checkpoints" --database-url "sqlite:///$2/tinker.db"
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

START_SECONDS = 300.0


class TinkerServer:
    """One server, started and killed at will; port and folder stay the same. Its log is `server.log`."""

    def __init__(self, command: str, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_model(self) -> str:
        """What the server calls the model that it serves."""
        return str(self.folder / "model")

    def start(self) -> None:
        """Spawn it and wait until it answers; there is nothing to be told of before, so ask."""
        port = self.url.rpartition(":")[2]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._command, port, str(self.folder)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self._process.poll() is not None or time.monotonic() > deadline
            assert not ended, (self.folder / "server.log").read_text()[-4000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL to it and all that it started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/api/v1/healthz", timeout=5) as answer:
                return answer.status == 200
        except (URLError, OSError):
            return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]

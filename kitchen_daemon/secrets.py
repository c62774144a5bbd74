"""Keys: from `secrets.env` in the home, then from the process's own environment.

They are never stored or logged.
"""

from __future__ import annotations

import os
import stat

from kitchen_core.home import Home


class UnsafeSecrets(PermissionError):  # noqa: N818 - named by the condition
    """Others can read the secrets file."""


def read_secrets(home: Home) -> dict[str, str]:
    """`{name: value}`. Raises UnsafeSecrets unless the file is the user's alone."""
    return dict(os.environ) | _from_file(home)


def _from_file(home: Home) -> dict[str, str]:
    path = home.secrets
    if not path.is_file():
        return {}
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnsafeSecrets(f"others can read {path}; make it yours alone: chmod 600 {path}")
    pairs = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
    return {
        name.strip().removeprefix("export "): value.strip().strip("'\"")
        for name, _, value in pairs
        if not name.lstrip().startswith("#")
    }

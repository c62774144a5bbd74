"""Holding content against what a run has pinned it to."""

from __future__ import annotations

from pathlib import Path

from kitchen_core.content import sha256_of_file, sha256_of_model
from kitchen_core.refs import RefError, parse_ref


def check_pin(text: str, pinned: str | None, now: str | None) -> None:
    """Raise RefError where the content that a ref leads to is not what the ref was pinned to."""
    if pinned is not None and pinned != now:
        raise RefError(
            f"{text} has changed since this run was submitted "
            f"(sha256 {pinned[:12]} then, {str(now)[:12]} now); {_remedy(text)}, or launch a new run"
        )


def check_pinned_file(text: str, pinned: str) -> None:
    """Check that a local file, or model folder, is what it was pinned to.

    Raises RefError where it has changed, or can't be read any more.
    """
    path = Path(parse_ref(text).name)
    try:
        now = sha256_of_model(path) if path.is_dir() else sha256_of_file(path)
    except OSError as error:
        raise RefError(
            f"{text} can't be read: {error.strerror}; put it back, or launch a new run"
        ) from None
    check_pin(text, pinned, now)


def _remedy(text: str) -> str:
    if text.startswith("builtin:"):
        return "it comes with Crucible Kitchen: install the version that it was submitted with"
    return "put the old content back"

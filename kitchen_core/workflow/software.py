"""The installed software that a run's numbers depend on: noted with every checkpoint, so that a
resume can say what has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version

DISTRIBUTIONS = (
    "crucible-kitchen",
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "datasets",
    "numpy",
)


@cache
def installed_software() -> Mapping[str, str]:
    """`{distribution: version}` of what is installed here."""
    return {name: found for name in DISTRIBUTIONS if (found := _version(name)) is not None}


def changes_since(then: Mapping[str, str]) -> list[str]:
    """What was changed since, a phrase each: `torch is 2.13.0 and was 2.12.1`."""
    now = installed_software()
    return [
        f"{name} is {now.get(name, 'not installed')} and was {was}"
        for name, was in then.items()
        if now.get(name) != was
    ]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

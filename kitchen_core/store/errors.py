"""What can go wrong with the store, each with what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path


class StoreError(Exception):
    """Any failure of the store that a user can do something about."""


class StoreMissing(StoreError):  # noqa: N818 - named by what happened
    """There is no store in this home, and the caller may not make one."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"there is no run store at {path}: start the daemon with `kitchen up`")


class StoreFull(StoreError, OSError):  # noqa: N818 - named by what happened
    """The disk that holds the home takes no more. Nothing was written."""

    def __init__(self, home: Path, cause: object) -> None:
        message = (
            f"the disk that holds {home} is full or over its quota ({cause}): "
            "free some space there, then resume what stopped"
        )
        OSError.__init__(self, errno.ENOSPC, message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class StoreBusy(StoreError):  # noqa: N818 - named by what happened
    """Another process keeps the store from being written. Nothing was written."""

    def __init__(self, path: Path, waited_s: float) -> None:
        super().__init__(
            f"another process has kept {path} locked for over {waited_s:.0f} s: "
            "if one of its workers was stopped, let it go on or kill it"
        )


class SchemaTooNew(StoreError):  # noqa: N818 - named by what happened
    """A newer version of the program has written this store."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} has schema version {found}, and this program knows only up to {known}: "
            "install the newer version of crucible-kitchen that wrote it"
        )


class SchemaTooOld(StoreError):  # noqa: N818 - named by what happened
    """The store has to be migrated first, and the caller may not do it."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} has schema version {found}, and this program needs {known}: "
            "restart the daemon (`kitchen down`, `kitchen up`), which migrates it"
        )


class MigrationBlocked(StoreError):  # noqa: N818 - named by what happened
    """A migration would pull the tables from under live workers."""

    def __init__(self, revisions: Sequence[str], runs: Sequence[str]) -> None:
        super().__init__(
            f"migration {', '.join(revisions)} changes tables that live workers write "
            f"(runs {', '.join(runs)}): wait for them or pause them, then start again"
        )
        self.runs = list(runs)


class NotFound(StoreError, LookupError):  # noqa: N818 - named by what happened
    """Nothing in the store goes by that name; `suggestions` come close."""

    def __init__(self, what: str, asked: str, suggestions: Sequence[str] = ()) -> None:
        hint = f" (did you mean {', '.join(suggestions)}?)" if suggestions else ""
        super().__init__(f"there is no {what} {asked!r}{hint}")
        self.suggestions = list(suggestions)


class Ambiguous(StoreError, LookupError):  # noqa: N818 - named by what happened
    """A prefix that fits several; `candidates` names them."""

    def __init__(self, what: str, asked: str, candidates: Sequence[str]) -> None:
        super().__init__(f"{asked!r} fits more than one {what}: {', '.join(candidates)}")
        self.candidates = list(candidates)


class NotWaiting(StoreError):  # noqa: N818 - named by the condition
    """Something was asked of a run that only one that waits for its turn can do."""

    def __init__(self, run_id: str, stands: str, asked: str, remedy: str) -> None:
        super().__init__(f"run {run_id} {stands}, and only one that waits can be {asked}; {remedy}")


class NameTaken(StoreError):  # noqa: N818 - named by what happened
    """There is another one of that name."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(
            f"there is a {what} {name!r} already: remove it first, or take another name"
        )


class StillWanted(StoreError):  # noqa: N818 - named by what happened
    """Something can't go, for `by` name it."""

    def __init__(self, what: str, name: str, by: Sequence[str]) -> None:
        super().__init__(f"the {what} {name!r} is still wanted by {', '.join(by)}")
        self.by = list(by)

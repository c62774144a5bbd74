"""Refs: how configs name models and datasets. Parsing is pure; `resolver` turns names into content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

RefKind = Literal["builtin", "hf", "file", "run", "model", "artifact"]
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?(#[\w.-]+)?")
_FORMS = (
    "builtin:NAME, hf:ORG/NAME[@REVISION] or ORG/NAME (of data also #SUBSET), file:PATH or ./PATH, "
    "run:ID or run:RECIPE@latest, model:NAME@VERSION, artifact:SHA256"
)


class RefError(ValueError):
    """A ref that can't be read or leads nowhere; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A parsed ref. selector, subset: what stands behind the `@` and the `#`, if anything."""

    kind: RefKind
    name: str
    selector: str | None = None
    subset: str | None = None

    def __str__(self) -> str:
        selector = f"@{self.selector}" if self.selector else ""
        subset = f"#{self.subset}" if self.subset else ""
        return f"{self.kind}:{self.name}{selector}{subset}"


def parse_ref(text: str) -> Ref:
    """Read a ref. Raises RefError naming the forms that there are."""
    if text.startswith(("./", "../", "/", "~")) or text in (".", ".."):
        return Ref("file", text)
    kind, colon, rest = text.partition(":")
    if not colon and _HUB_NAME.fullmatch(text):
        return _hub_ref(text)
    if not rest:
        raise RefError(f"'{text}' is not a ref; write {_FORMS}")
    match kind:
        case "file":
            return Ref("file", rest)
        case "builtin":
            return Ref("builtin", rest)
        case "artifact":
            return Ref("artifact", rest)
        case "hf":
            return _hub_ref(rest)
        case "run" | "model":
            name, _, selector = rest.partition("@")
            return Ref(kind, name, selector or None)
        case _:
            raise RefError(f"'{text}': unknown kind of ref '{kind}'; write {_FORMS}")


def absolute(text: str, folder: Path) -> str:
    """The ref with a local path made absolute against `folder`; other refs as they are.

    A bare name that is a file there is that file. Raises RefError where it could also be a name on
    the hub.
    """
    is_bare = ":" not in text and "/" not in text
    ref = Ref("file", text) if is_bare and (folder / text).exists() else parse_ref(text)
    if ref.kind != "file":
        if ref.kind == "hf" and (folder / ref.name).exists() and not text.startswith("hf:"):
            raise RefError(
                f"'{text}' names a model or dataset on the hub, but ./{text} exists here; write ./{text} or hf:{text}"
            )
        return text
    return f"file:{(folder / Path(ref.name).expanduser()).resolve()}"


def check_role(ref: Ref, role: Literal["model", "dataset"]) -> None:
    """Raise RefError where a ref of this kind can't lead to a model, or to a dataset."""
    if role == "model" and ref.subset:
        raise RefError(f"'{ref}': a model has no subsets; leave out #{ref.subset}")
    if role == "dataset" and ref.kind in ("run", "model", "artifact"):
        raise RefError(
            f"'{ref}': what a run makes is a model and no dataset; "
            "name a dataset by hf:ORG/NAME, by its file's path or by builtin:NAME"
        )


def _hub_ref(text: str) -> Ref:
    rest, _, subset = text.partition("#")
    name, _, revision = rest.partition("@")
    return Ref("hf", name, revision or None, subset or None)

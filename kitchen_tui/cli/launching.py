"""From the words of a command line to a Launch. Whatever names a file here is made absolute, since
the daemon stands in another folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kitchen_tui.cli.errors import Failure

if TYPE_CHECKING:
    from pydantic import BaseModel

    from kitchen_daemon.client import Client
    from kitchen_daemon.models import Launch

M = TypeVar("M", bound="BaseModel")

_PATH_STARTS = ("./", "../", "/", "~", "file:")
_DATA_ENDS = (".jsonl", ".json", ".csv", ".parquet", ".arrow", ".gz")


def recipe_argument(text: str) -> str:
    """A recipe's name as it is, a recipe's file as an absolute path."""
    if not (text.endswith(".py") or "/" in text):
        return text
    path = Path(text).expanduser().resolve()
    if not path.is_file():
        raise Failure(f"no such recipe file: {text}", "list the recipes with: kitchen recipes")
    return str(path)


def pairs(texts: list[str], form: str) -> dict[str, str]:
    """`NAME=VALUE` words as a dict."""
    given: dict[str, str] = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found or not name.strip():
            raise Failure(f"'{text}' is not of the form {form}")
        if name.strip() in given:
            raise Failure(f"'{name.strip()}' is given twice")
        given[name.strip()] = value.strip()
    return given


def adapter_arguments(texts: list[str] | None) -> dict[str, str]:
    """The adapters and options that a command line gives on top of the manifest."""
    return pairs(texts or [], "PORT=NAME or PORT.OPTION=VALUE")


def manifest_argument(text: str) -> str:
    """A manifest's name as it is, a manifest's file as an absolute path."""
    is_file = text.endswith(".toml") or "/" in text
    return str(Path(text).expanduser().resolve()) if is_file else text


def launch_of(**given: Any) -> Launch:
    """A launch. Raises Failure in one line where a value can't be right."""
    from kitchen_daemon.models import Launch

    return checked(Launch, **given)


def checked(model: type[M], **given: Any) -> M:
    """What is sent to the daemon. Raises Failure in one line where a value can't be right."""
    from pydantic import ValidationError

    from kitchen_core.explaining import explain

    try:
        return model(**given)
    except ValidationError as error:
        raise Failure(explain(error)) from None


def with_absolute_refs(
    client: Client, recipe: str, overrides: dict[str, str], revision: str | None = None
) -> dict[str, str]:
    """The overrides with the refs to local files made absolute, those that are keys of a mapping
    (`mix={"./a.jsonl": 0.5}`) as well. Raises Failure for a file that is not there.

    Only the recipe knows which of its settings hold refs; it is asked where a value looks local.
    """
    if not any(
        _looks_local(ref) or _looks_lost(ref)
        for value in overrides.values()
        for ref in _refs_in(value)
    ):
        return overrides
    properties = client.recipe(recipe, revision).config_schema.get("properties", {})
    return {
        key: _with_absolute(value) if _holds_ref(properties, key) else value
        for key, value in overrides.items()
    }


def _with_absolute(value: str) -> str:
    mapping = _mapping(value)
    if mapping is None:
        return _meant(value)
    named: dict[str, str] = {}
    for ref in mapping:
        meant = _meant(ref)
        if meant in named:
            raise Failure(f"'{ref}' and '{named[meant]}' are the same data; name it once")
        named[meant] = ref
    return json.dumps({meant: mapping[ref] for meant, ref in named.items()})


def _meant(ref: str) -> str:
    if _looks_lost(ref):
        hint = f"a dataset of the hub is named by hf:{ref}" if "/" in ref else ""
        raise Failure(f"there is no file {ref} here", hint)
    return _absolute(ref) if _looks_local(ref) else ref


def _refs_in(value: str) -> list[str]:
    """The refs that a setting would hold: its text, or the keys of the mapping that it spells."""
    mapping = _mapping(value)
    return [value] if mapping is None else list(mapping)


def _mapping(value: str) -> dict[str, Any] | None:
    if not value.startswith("{"):
        return None
    from kitchen_core.config import each_key_once

    try:
        return json.loads(value, object_pairs_hook=each_key_once)
    except ValueError:  # the config says what is wrong with it
        return None


def _looks_local(value: str) -> bool:
    return value.startswith(_PATH_STARTS) or (bool(value) and _exists(value))


def _looks_lost(ref: str) -> bool:
    """Whether it is named as data files are, and neither is one nor says outright what it is."""
    return ref.endswith(_DATA_ENDS) and ":" not in ref and not _looks_local(ref)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except OSError:  # too long for a file's name
        return False


def _holds_ref(properties: dict[str, Any], key: str) -> bool:
    return "ref" in properties.get(key, {})


def _absolute(value: str) -> str:
    from kitchen_core.refs import RefError, absolute

    try:
        return absolute(value, Path.cwd())
    except RefError as error:
        raise Failure(str(error)) from None

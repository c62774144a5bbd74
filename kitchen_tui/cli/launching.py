"""From the words of a command line to a Launch. Whatever names a file here is made absolute, since
the daemon stands in another folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitchen_tui.cli.errors import Failure

if TYPE_CHECKING:
    from kitchen_daemon.client import Client
    from kitchen_daemon.models import Launch

_PATH_STARTS = ("./", "../", "/", "~", "file:")


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


def manifest_argument(text: str) -> str:
    """A manifest's name as it is, a manifest's file as an absolute path."""
    is_file = text.endswith(".toml") or "/" in text
    return str(Path(text).expanduser().resolve()) if is_file else text


def launch_of(**given: Any) -> Launch:
    """A launch. Raises Failure in one line where a value can't be right."""
    from pydantic import ValidationError

    from kitchen_core.explaining import explain
    from kitchen_daemon.models import Launch

    try:
        return Launch(**given)
    except ValidationError as error:
        raise Failure(explain(error)) from None


def with_absolute_refs(client: Client, recipe: str, overrides: dict[str, str]) -> dict[str, str]:
    """The overrides with the refs to local files made absolute.

    Only the recipe knows which of its settings hold refs; it is asked where a value looks local.
    """
    if not any(_looks_local(value) for value in overrides.values()):
        return overrides
    properties = client.recipe(recipe).config_schema.get("properties", {})
    return {
        key: _absolute(value) if _holds_ref(properties, key) and _looks_local(value) else value
        for key, value in overrides.items()
    }


def _looks_local(value: str) -> bool:
    return value.startswith(_PATH_STARTS) or (bool(value) and Path(value).exists())


def _holds_ref(properties: dict[str, Any], key: str) -> bool:
    return "ref" in properties.get(key, {})


def _absolute(value: str) -> str:
    from kitchen_core.refs import RefError, absolute

    try:
        return absolute(value, Path.cwd())
    except RefError as error:
        raise Failure(str(error)) from None

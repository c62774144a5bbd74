"""The arguments and options that say what to launch, for every command that makes a launch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from kitchen_tui.cli import completion
from kitchen_tui.cli.arguments import Adapters, Manifest
from kitchen_tui.cli.launching import (
    adapter_arguments,
    launch_of,
    manifest_argument,
    pairs,
    recipe_argument,
    with_absolute_refs,
)

if TYPE_CHECKING:
    from kitchen_daemon.client import Client
    from kitchen_daemon.models import Launch


def _overrides(texts: list[str] | None) -> dict[str, str]:
    return pairs(texts or [], "key=value")


def _settings(texts: list[str] | None) -> list[str] | None:
    """The settings as they are. Raises Failure for what is none, before a daemon is asked."""
    _overrides(texts)
    return texts


@dataclass(frozen=True, kw_only=True)
class RecipeWords:
    """What to run. A field is an argument or an option of the command."""

    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="A recipe's name or file.",
            autocompletion=completion.recipes,
            callback=recipe_argument,
        ),
    ]
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]",
            help="Settings that differ from the recipe's.",
            callback=_settings,
        ),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A preset of the recipe.", autocompletion=completion.presets
        ),
    ] = None
    manifest: Manifest = "dev"
    adapter: Adapters = None
    revision: Annotated[
        str | None,
        typer.Option(
            metavar="good|SHA", help="The recipe as it last loaded, or as it was with this hash."
        ),
    ] = None

    def launch(self, client: Client) -> Launch:
        """The launch that the words ask for. Raises Failure where one of them can't be right."""
        changed = {
            "overrides": with_absolute_refs(client, self.recipe, _overrides(self.settings)),
            "manifest": manifest_argument(self.manifest),
            "adapters": adapter_arguments(self.adapter),
        }
        given = {name: value for name, value in vars(self).items() if value is not None}
        for name in ("settings", "adapter"):
            given.pop(name, None)
        return launch_of(**given | changed)


@dataclass(frozen=True, kw_only=True)
class QueueWords(RecipeWords):
    """What to run, and what it asks of the queue."""

    name: Annotated[str | None, typer.Option(help="A name for the run.")] = None
    after: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN",
            help="Only once this run has completed.",
            autocompletion=completion.runs,
        ),
    ] = None
    after_any: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN",
            help="Only once this run has ended, however.",
            autocompletion=completion.runs,
        ),
    ] = None
    window: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only while this window is open.",
            autocompletion=completion.windows,
        ),
    ] = None
    hold: Annotated[bool, typer.Option("--hold", help="Only once you release it.")] = False
    priority: Annotated[
        int, typer.Option(min=-1000, max=1000, metavar="N", help="Higher runs first.")
    ] = 0
    group: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Queue it in this group.  [default: main]",
            autocompletion=completion.groups,
        ),
    ] = None
    preempt: Annotated[
        bool, typer.Option("--preempt", help="Let runs of lower priority go aside for it.")
    ] = False
    retries: Annotated[
        int | None,
        typer.Option(
            min=0, max=100, metavar="N", help="If interrupted, go on by itself so many times."
        ),
    ] = None
    gpus: Annotated[
        int | None, typer.Option(min=1, max=64, metavar="N", help="Keep so many GPUs for it.")
    ] = None
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE|PERCENT",
            help="Keep so much memory for it: 12GB, or 50% of a GPU, which it then shares.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class LaunchWords(QueueWords):
    """What to run, what it asks of the queue, and when."""

    at: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help='Not before: 22:00, "tomorrow 06:30", "in 2h".'),
    ] = None


def takes_words(command: Callable[..., None]) -> Callable[..., None]:
    """Spread a command's parameter of words out into the arguments and options that they are.

    The command names the kind of words it takes by the parameter's type, and gets them filled in.
    """
    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters
    [(place, kind)] = [
        (name, hint)
        for name, hint in hints.items()
        if isinstance(hint, type) and issubclass(hint, RecipeWords)
    ]
    spread: list[inspect.Parameter] = []
    for name, parameter in own.items():
        spread += _parameters(kind) if name == place else [_keyword(name, hints, parameter.default)]

    @wraps(command)
    def filled(**given: Any) -> None:
        words = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**{place: words}, **given)

    vars(filled)["__signature__"] = inspect.Signature(spread)
    return filled


def _parameters(kind: type[RecipeWords]) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        _keyword(field.name, hints, getattr(kind, field.name, inspect.Parameter.empty))
        for field in fields(kind)
    ]


def _keyword(name: str, hints: dict[str, Any], default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[name], default=default
    )

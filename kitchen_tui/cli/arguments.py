"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from kitchen_tui.cli import completion
from kitchen_tui.cli.errors import Failure

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds_argument(text: str) -> float:
    """A length of time in seconds: 90m, 12h, 7d, 1d12h. Raises Failure for what is none."""
    words = text.strip().lower()
    if not re.fullmatch(r"(\d+(\.\d+)?[smhdw])+", words):
        raise Failure(f"'{text}' is no length of time", "write 90m, 12h, 7d or 1d12h")
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", words)
    return sum(float(count) * _SECONDS[unit] for count, unit in parts)


def possible_name(text: str) -> str:
    """What stands in a path of the API: `kitchen show "$RUN"` may well be empty."""
    if not text.strip():
        raise Failure("a run's id or name is missing", "list them with: kitchen runs")
    if "/" in text:
        raise Failure(f"there is no run '{text}'", "list them with: kitchen runs")
    return text


def _possible_names(texts: list[str]) -> list[str]:
    return [possible_name(text) for text in texts]


def name_argument(text: str) -> str:
    """What stands in a path of the API."""
    if not text.strip() or "/" in text:
        raise Failure(f"'{text}' is no name", "give it some letters, and no slash")
    return text.strip()


RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id, the start of one, or its name.",
        autocompletion=completion.runs,
        callback=possible_name,
    ),
]
RunNames = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Runs' ids, the starts of them, or their names.",
        autocompletion=completion.runs,
        callback=_possible_names,
    ),
]
WaitingNames = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Waiting runs' ids, the starts of them, or their names.",
        autocompletion=completion.waiting,
        callback=_possible_names,
    ),
]
NodeName = Annotated[
    str,
    typer.Argument(
        metavar="RUN_OR_ARTIFACT",
        help="A run, or the SHA-256 of an artifact.",
        autocompletion=completion.runs,
        callback=possible_name,
    ),
]
TimeZone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE", help="Whose clock, such as Europe/Vienna.  [default: this machine's]"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the run ends.")]
Watch = Annotated[bool, typer.Option("--watch", help="Watch the run until it ends.")]
Adapters = Annotated[
    list[str] | None,
    typer.Option(
        "--adapter",
        metavar="PORT=NAME",
        help="Another adapter for one port, or PORT.OPTION=VALUE, an option of its adapter.",
    ),
]
Manifest = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Which adapters to use: dev, test, prod, one of your own, or a file.",
        autocompletion=completion.manifests,
    ),
]
Probe = Annotated[
    bool, typer.Option("--probe", help="Ask the services whether they can be reached.")
]

"""Taking artifacts to a blob store and back: push, pull."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from kitchen_tui.cli.arguments import Adapters, AsJson, Manifest, NodeName
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Exit, Failure
from kitchen_tui.cli.launching import adapter_arguments, manifest_argument
from kitchen_tui.cli.output import emit, emit_json, say, screen

if TYPE_CHECKING:
    from kitchen_daemon.models import TransferItem, Transferred

_SHA256_LENGTH = 64


def _whole_hash(text: str) -> str:
    sha256 = text.removeprefix("artifact:").lower()
    if len(sha256) != _SHA256_LENGTH or not set(sha256) <= set("0123456789abcdef"):
        raise Failure(
            f"'{text}' is not a whole SHA-256",
            "kitchen push prints it, and kitchen artifacts --json",
        )
    return sha256


def push(
    what: NodeName,
    every: Annotated[
        bool, typer.Option("--all", help="All that the run has made, not only its final model.")
    ] = False,
    manifest: Manifest = "dev",
    adapter: Adapters = None,
    as_json: AsJson = False,
) -> None:
    """Keep a run's final model, or an artifact, at the blob store.

    What is there is not sent again. Stopped with Ctrl-C, the same command goes on.
    """
    from kitchen_daemon.models import PushRequest

    request = PushRequest(
        what=what.removeprefix("artifact:").removeprefix("run:"),
        every=every,
        manifest=manifest_argument(manifest),
        adapters=adapter_arguments(adapter),
    )
    with connected() as client:
        done = _shown(client.push(request), "sent", as_json)
    if not as_json:
        chosen = ["--manifest", manifest] if manifest != "dev" else []
        chosen += [word for choice in adapter or [] for word in ("--adapter", choice)]
        command = shlex.join(["kitchen", "pull", done[-1].sha256, *chosen])
        say(f"bring it to another home: {command}")


def pull(
    sha256: Annotated[
        str, typer.Argument(metavar="SHA256", help="An artifact's SHA-256.", callback=_whole_hash)
    ],
    manifest: Manifest = "dev",
    adapter: Adapters = None,
    as_json: AsJson = False,
) -> None:
    """Bring an artifact from the blob store. An adapter comes with its base.

    Stopped with Ctrl-C, the same command goes on.
    """
    from kitchen_daemon.models import PullRequest

    request = PullRequest(
        sha256=sha256,
        manifest=manifest_argument(manifest),
        adapters=adapter_arguments(adapter),
    )
    with connected() as client:
        done = _shown(client.pull(request), "fetched", as_json)
    if not as_json and done[-1].kind == "tree":
        say(f"go on from it: kitchen run sl_basic model=artifact:{done[-1].sha256}")


def _shown(items: Iterator[TransferItem], verb: str, as_json: bool) -> list[Transferred]:
    """Show what happens until it is done, and what has become of it."""
    from kitchen_tui.cli.views.transfers import bars, lines, silence, summary

    show = silence() if as_json else lines(say, verb)
    if sys.stderr.isatty() and not as_json:
        show = bars(screen(stderr=True), verb)
    done: list[Transferred] = []
    try:
        with show as tell:
            for item in items:
                tell(item)
                done = item.done or done
    except KeyboardInterrupt:
        say("stopped; what has arrived is kept, and the same command goes on")
        raise typer.Exit(Exit.INTERRUPTED) from None
    if as_json:
        emit_json(done)
    else:
        for each in done:
            emit(summary(each, verb))
    return done

"""Launching runs, and asking things of them: run, retry, resume, cancel, pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kitchen_tui.cli.arguments import AsJson, RunName, RunNames, Wait, Watch
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Failure
from kitchen_tui.cli.launch_words import LaunchWords, takes_words
from kitchen_tui.cli.output import emit, emit_json, say, screen
from kitchen_tui.cli.several import ask_each

if TYPE_CHECKING:
    from kitchen_daemon.client import Client
    from kitchen_daemon.models import Launch, RunInfo

RUN_EXAMPLES = """\b
Examples:
  kitchen run sl_basic --watch
  kitchen run sl_basic max_steps=50 dataset=./mine.jsonl
  kitchen run ./my_recipe.py --preset gpu --after sl_basic
  kitchen run dpo --at 22:00 --window night --group night --retries 3
  kitchen run math_rl --priority 10 --preempt --memory 50%
"""


@takes_words
def run(
    words: LaunchWords,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, show what would run, and stop.")
    ] = False,
    watch: Watch = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Queue a run of a recipe."""
    with connected() as client:
        launch = words.launch(client)
        if dry_run:
            _show_plan(client, launch, as_json)
        else:
            _go_on_with(client, client.launch(launch), watch=watch, wait=wait, as_json=as_json)


def retry(run: RunName, watch: Watch = False, wait: Wait = False, as_json: AsJson = False) -> None:
    """Queue the same again: same recipe revision, config, data."""
    with connected() as client:
        _go_on_with(client, client.retry(run), watch=watch, wait=wait, as_json=as_json)


def resume(
    runs: RunNames,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a worker that does not respond.")
    ] = False,
    watch: Watch = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Go on with runs that stopped, from their last checkpoints."""
    if len(runs) > 1 and (watch or wait):
        raise Failure(
            "one run at a time can be stayed with", "name one, or leave out --watch, --wait"
        )
    with connected() as client:
        if len(runs) > 1:
            ask_each(
                client,
                runs,
                lambda run: client.resume(run, replace=replace),
                lambda run: (
                    f"{run.id}  {run.status.value}{f': {run.reason}' if run.reason else ''}"
                ),
                as_json=as_json,
            )
            return
        resumed = client.resume(runs[0], replace=replace)
        _go_on_with(client, resumed, watch=watch, wait=wait, as_json=as_json)


def cancel(runs: RunNames, as_json: AsJson = False) -> None:
    """End runs. What they have saved stays."""
    with connected() as client:
        ask_each(client, runs, client.cancel, _cancelled, as_json=as_json)


def pause(runs: RunNames, as_json: AsJson = False) -> None:
    """Let runs save themselves and stop for now."""
    with connected() as client:
        ask_each(
            client,
            runs,
            client.pause,
            lambda run: f"{run.id}  asked to pause; go on later with: kitchen resume {run.id}",
            as_json=as_json,
        )


def _cancelled(run: RunInfo) -> str:
    if run.status.is_final:
        return f"{run.id}  {run.status.value}"
    return f"{run.id}  asked to stop; it ends after the step it is in"


def _go_on_with(client: Client, queued: RunInfo, *, watch: bool, wait: bool, as_json: bool) -> None:
    is_told = as_json or (watch and queued.code is not None)  # a watcher says why a run waits
    if queued.reason and not is_told:  # what a resume goes on from, what a held run waits for
        say(queued.reason)
    if watch or wait:
        from kitchen_tui.cli.watching import stay

        stay(client, queued, watch=watch, as_json=as_json)
    elif as_json:
        emit_json(queued)
    else:
        emit(f"{queued.id}  {queued.status.value}  {queued.name}")
        say(f"watch it: kitchen watch {queued.id}")


def _show_plan(client: Client, launch: Launch, as_json: bool) -> None:
    plan = client.plan(launch)
    if as_json:
        emit_json(plan)
    else:
        from kitchen_tui.cli.views.plans import plan_page

        screen().print(plan_page(plan))

"""What a run has left: logs, events, metrics, artifacts, lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kitchen_tui.cli.arguments import AsJson, NodeName, RunName
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Exit, Failure
from kitchen_tui.cli.output import emit, emit_json, say, screen

if TYPE_CHECKING:
    from kitchen_core.telemetry.schema import Event

LOG_LINES = 100


def logs(
    run: RunName,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="The last so many lines.")
    ] = LOG_LINES,
    as_json: AsJson = False,
) -> None:
    """Print what the run's workers printed."""
    with connected() as client:
        found = client.log(run, lines=lines)
    if as_json:
        emit_json(found)
    elif found:
        emit("\n".join(found))
    else:
        say(f"Nothing was printed. What happened in the run: kitchen events {run}")


def events(
    run: RunName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run ends.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what happened in a run, an event a line."""
    with connected() as client:
        if not follow:
            for event in client.events(run):
                _print_event(event, as_json)
            return
        from kitchen_tui.cli.follow import Follower

        follower = Follower(client, client.run(run).id, _say_away)
        try:
            for item in follower.until_rest():
                if item.event:
                    _print_event(item.event, as_json)
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None


def metrics(
    run: RunName,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]", help="Draw these series.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a run's metrics: a line each, or charts of some.

    For example: kitchen metrics sl_basic train_mean_nll test/nll
    """
    with connected() as client:
        series = client.metrics(run, names)
        missing = [name for name in names or [] if name not in series]
        if missing:
            raise _unknown_metric(missing[0], list(client.run(run).metrics))
    if as_json:
        emit_json(series, indent=False)
    elif not series:
        say("No metrics yet.")
    else:
        from kitchen_tui.cli.views.metrics import charts, metrics_table

        console = screen()
        draw = charts if names else metrics_table
        console.print(draw(series, console.width))


def artifacts(run: RunName, as_json: AsJson = False) -> None:
    """List what a run made: checkpoints, the final model."""
    with connected() as client:
        found = client.artifacts(run)
    if as_json:
        emit_json(found)
    elif found:
        from kitchen_tui.cli.views.runs import artifact_lines

        for made in found:
            emit("\n".join(artifact_lines(made)))
    else:
        say("This run has made nothing yet.")


def lineage(node: NodeName, as_json: AsJson = False) -> None:
    """Show what a run or an artifact was made from, and became."""
    with connected() as client:
        graph = client.lineage(node)
        if as_json:
            emit_json(graph)
            return
        from kitchen_tui.cli.views.lineage import lineage_tree, start_of

        screen().print(lineage_tree(graph, start_of(client, graph, node)))


def _print_event(event: Event, as_json: bool) -> None:
    from kitchen_tui.cli.views.events import event_line

    emit(event.model_dump_json() if as_json else event_line(event))


def _say_away(away: bool) -> None:
    say("reconnecting…" if away else "the daemon is back")


def _unknown_metric(name: str, known: list[str]) -> Failure:
    from kitchen_core.train.naming import nearest

    if not known:
        return Failure(f"unknown metric '{name}'", "the run has no metrics yet")
    hint = nearest(name, known).removeprefix("; ")
    return Failure(f"unknown metric '{name}'", hint or f"it has: {', '.join(sorted(known))}")

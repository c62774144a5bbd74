"""What a run has logged for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kitchen_tui.cli.arguments import AsJson, RunName
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Failure
from kitchen_tui.cli.output import emit_json, say, screen

if TYPE_CHECKING:
    from kitchen_daemon.models import RunInfo
    from kitchen_tui.cli.views.samples import Sample


def samples(
    run: RunName,
    step: Annotated[int | None, typer.Option(min=0, help="Those of this step.")] = None,
    every_step: Annotated[bool, typer.Option("--all", help="Those of every step.")] = False,
    kind: Annotated[
        str | None, typer.Option(help="Those of this kind: answer, pair, rollout, train, ...")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is trained on, and what the model does.

    The newest samples of each kind are shown. How likely each token was is marked where the run has logged it.
    """
    if every_step and step is not None:
        raise Failure("--all shows every step, --step one of them; give one of the two")
    from kitchen_tui.cli.views.samples import LOGGING, newest, samples_of

    with connected() as client:
        found = samples_of(client.events(run, kinds=LOGGING))
        of_kind = [sample for sample in found if kind in (None, sample["kind"])]
        shown = of_kind
        if step is not None:
            shown = [sample for sample in of_kind if sample["step"] == step]
        elif not every_step:
            shown = newest(of_kind)
        if as_json:
            emit_json(shown)
        elif shown:
            _print(shown)
        elif found:
            say(_elsewhere(found, of_kind, kind, step))
        else:
            say(_nothing(client.run(run)))


def _print(shown: list[Sample]) -> None:
    from kitchen_tui.cli.views.samples import samples_page
    from kitchen_tui.cli.views.tokens import has_color

    console = screen()
    console.print(samples_page(shown, color=has_color(console), width=console.width))


def _elsewhere(
    found: list[Sample], of_kind: list[Sample], kind: str | None, step: int | None
) -> str:
    """Which samples there are where those asked for are not."""
    from kitchen_tui.cli.views.samples import kinds_of

    if not of_kind:
        return f"No samples of kind {kind}; there are some of {', '.join(kinds_of(found))}."
    steps = ", ".join(str(at) for at in dict.fromkeys(sample["step"] for sample in of_kind))
    return f"No samples at step {step}; there are some at {steps}."


def _nothing(run: RunInfo) -> str:
    """Why a run has no samples, and what to do."""
    for setting in ("eval_every", "log_samples"):
        if run.config.get(setting) == 0:
            return (
                f"This run logs no samples: its {setting} is 0. Start one with {setting}=10, say."
            )
    if run.status.is_final:
        return f"This run ended before it logged a sample. What happened: kitchen events {run.id}"
    return f"No samples yet; they come with the first evaluation: kitchen watch {run.id}"

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


def samples(
    run: RunName,
    step: Annotated[int | None, typer.Option(min=0, help="Those of this step.")] = None,
    every_step: Annotated[bool, typer.Option("--all", help="Those of every step.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show rows as they are trained on, and answers as they were given, at the newest step."""
    if every_step and step is not None:
        raise Failure("--all shows every step, --step one of them; give one of the two")
    from kitchen_tui.cli.views.samples import LOGGING, samples_of, samples_page

    with connected() as client:
        found = samples_of(client.events(run, kinds=LOGGING))
        if step is None and found:
            step = found[-1]["step"]
        shown = [sample for sample in found if every_step or sample["step"] == step]
        if as_json:
            emit_json(shown)
        elif shown:
            from kitchen_tui.cli.views.tokens import has_color

            console = screen()
            console.print(samples_page(shown, color=has_color(console)))
        elif found:
            steps = ", ".join(str(at) for at in dict.fromkeys(sample["step"] for sample in found))
            say(f"No samples at step {step}; there are some at {steps}.")
        else:
            say(_nothing(client.run(run)))


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

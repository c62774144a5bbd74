"""The model hub: finding a model to start from, and taking a run's model there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kitchen_tui.cli.arguments import AsJson, Manifest, RunName
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Exit
from kitchen_tui.cli.launching import manifest_argument
from kitchen_tui.cli.output import emit, emit_json, say, screen

if TYPE_CHECKING:
    from kitchen_daemon.client import Client
    from kitchen_daemon.models import UploadInfo, UploadPlan, UploadRequest


def hub(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="A part of the model's name, such as qwen3.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The first so many.")] = 20,
    manifest: Manifest = "dev",
    as_json: AsJson = False,
) -> None:
    """Find models on the hub, those used most first.

    Start from one of them with: kitchen run RECIPE model=ORG/NAME
    """
    manifest = manifest_argument(manifest)
    with connected() as client:
        found = client.hub_models(query, manifest=manifest, limit=limit)
    if as_json:
        emit_json(found)
    elif found:
        from kitchen_tui.cli.views.hub import models_table

        screen().print(models_table(found))
    else:
        say(f"No model on the hub has '{query}' in its name.")


def upload(
    run: RunName,
    repo: Annotated[str, typer.Argument(metavar="ORG/NAME", help="The repository on the hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see it, if it is a new one.")
    ] = False,
    manifest: Manifest = "dev",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the model's card, and take nothing there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take a run's final model to the hub. A card says how it was made.

    It needs a token that may write, as HF_TOKEN in secrets.env or in the daemon's environment.
    """
    manifest = manifest_argument(manifest)
    with connected() as client:
        from kitchen_daemon.models import UploadRequest

        request = UploadRequest(repo=repo, private=not public, manifest=manifest)
        plan = client.plan_upload(run, request)
        if dry_run:
            emit_json(plan) if as_json else emit(plan.card.rstrip("\n"))
            return
        made = _uploaded(client, plan, request)
    if as_json:
        emit_json(made)
    else:
        emit(made.url)


def _uploaded(client: Client, plan: UploadPlan, request: UploadRequest) -> UploadInfo:
    """Wait for the upload, and show for how long."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from kitchen_tui.format import size

    what = f"uploading {size(plan.size_bytes)} to {plan.repo}"
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=screen(stderr=True), transient=True) as progress:
            progress.add_task(what, total=None)
            return client.upload(plan.run, request)
    except KeyboardInterrupt:
        say("the daemon goes on with the upload; nothing shows on the hub before it is done")
        raise typer.Exit(Exit.INTERRUPTED) from None

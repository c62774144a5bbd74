"""What a training service keeps of your runs: checkpoints list, expire, publish, unpublish, delete."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from kitchen_tui.cli.arguments import AsJson, seconds_argument
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Exit, Failure
from kitchen_tui.cli.launching import manifest_argument
from kitchen_tui.cli.output import emit, emit_json, say, screen
from kitchen_tui.format import duration

DEFAULT_MANIFEST = "prod"

app = typer.Typer(
    help="List and change what a training service keeps of your runs.",
    rich_markup_mode=None,
)

Path = Annotated[
    str,
    typer.Argument(metavar="PATH", help="As `kitchen checkpoints` shows it.", show_default=False),
]
Manifest = Annotated[
    str | None,
    typer.Option(
        help=f"Whose service keeps them.  [default: {DEFAULT_MANIFEST}]", show_default=False
    ),
]


@app.callback(invoke_without_command=True)
def _checkpoints(ctx: typer.Context, manifest: Manifest = None, as_json: AsJson = False) -> None:
    ctx.obj = manifest
    if ctx.invoked_subcommand is None:
        list_checkpoints(ctx, as_json=as_json)


@app.command("list")
def list_checkpoints(
    ctx: typer.Context, manifest: Manifest = None, as_json: AsJson = False
) -> None:
    """List them, the newest first."""
    with connected() as client:
        found = client.checkpoints(_manifest(ctx, manifest))
    if as_json:
        emit_json(found)
        return
    if not found:
        say("The service keeps no checkpoints of yours.")
        return
    from kitchen_tui.cli.views.checkpoints import checkpoint_lines, checkpoints_table, summary

    console = screen()
    table = checkpoints_table(found, console)
    if table is None:
        emit("\n".join(line for kept in found for line in checkpoint_lines(kept)))
    else:
        console.print(table)
    say(summary(found))


@app.command()
def expire(
    ctx: typer.Context,
    path: Path,
    after: Annotated[str, typer.Option(metavar="TIME", help="From now: 12h, 7d, 1d12h; or never.")],
    manifest: Manifest = None,
) -> None:
    """Let a checkpoint go after some time, or keep it for ever."""
    after_s = None if after.strip().lower() == "never" else seconds_argument(after)
    _change(ctx, manifest, path, "expire", after_s)
    emit(f"{path} is kept for ever" if after_s is None else f"{path} goes in {duration(after_s)}")


@app.command()
def publish(ctx: typer.Context, path: Path, manifest: Manifest = None) -> None:
    """Let everybody load a checkpoint."""
    _change(ctx, manifest, path, "publish")
    emit(f"{path} can be loaded by everybody")


@app.command()
def unpublish(ctx: typer.Context, path: Path, manifest: Manifest = None) -> None:
    """Keep a checkpoint to yourself again."""
    _change(ctx, manifest, path, "unpublish")
    emit(f"{path} can be loaded by you alone")


@app.command()
def delete(
    ctx: typer.Context,
    path: Path,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    manifest: Manifest = None,
) -> None:
    """Delete a checkpoint now. Runs that need it can't go on."""
    if not yes and sys.stdin.isatty() and not _confirmed(path):
        say("Nothing was deleted.")
        return
    _change(ctx, manifest, path, "delete")
    emit(f"{path} is deleted")


def _change(
    ctx: typer.Context,
    manifest: str | None,
    path: str,
    action: Literal["expire", "publish", "unpublish", "delete"],
    after_s: float | None = None,
) -> None:
    if not path.strip():
        raise Failure("a checkpoint's path is missing", "list them with: kitchen checkpoints")
    if after_s is not None and not after_s:
        raise Failure(
            "a checkpoint can't go after no time", "drop it now with: kitchen checkpoints delete"
        )
    from kitchen_daemon.models import CheckpointChange

    change = CheckpointChange(
        manifest=_manifest(ctx, manifest), path=path, action=action, after_s=after_s
    )
    with connected() as client:
        client.change_checkpoint(change)


def _manifest(ctx: typer.Context, given: str | None) -> str:
    """What was given to the command itself, else before its name."""
    return manifest_argument(given or ctx.obj or DEFAULT_MANIFEST)


def _confirmed(path: str) -> bool:
    try:
        return typer.confirm(f"Delete {path}? It can't be brought back.", err=True)
    except typer.Abort:
        say("")
        raise Failure("interrupted; nothing was deleted", code=Exit.INTERRUPTED) from None

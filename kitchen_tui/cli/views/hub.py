"""Models on the hub, a line each."""

from __future__ import annotations

from rich.table import Table

from kitchen_daemon.models import HubModelInfo
from kitchen_tui.cli.views.style import plain_table
from kitchen_tui.format import NOTHING, age


def models_table(models: list[HubModelInfo]) -> Table:
    """What a person chooses by: the name, how much it is used, and whether one has to be let in."""
    table = plain_table("model", "downloads", "changed", "")
    for model in models:
        changed = age(model.changed_at) if model.changed_at is not None else NOTHING
        table.add_row(model.repo, f"{model.downloads:,}", changed, "gated" if model.gated else "")
    return table

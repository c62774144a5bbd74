"""What a launch would do, and what recipes there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kitchen_daemon.models import Plan, RecipeDetail, RecipeSummary, RevisionInfo
from kitchen_tui.cli.views.quotes import quote_facts
from kitchen_tui.cli.views.style import NARROW, facts, heading, plain_table, shown
from kitchen_tui.format import NOTHING, age, date, one_line

WIDE = 100
_SHORT = 8  # characters of a hash


def plan_page(plan: Plan) -> Group:
    """A dry run's answer: what would run, with which config, and through which stages."""
    return Group(*_plan(plan))


def recipes_table(recipes: list[RecipeSummary], width: int) -> Table:
    """Recipes, a line each; a broken one shows why."""
    headers = ["recipe"]
    if width >= NARROW:
        headers += ["revision", "changed"]
    if width >= WIDE:
        headers += ["workflow", "presets"]
    table = plain_table(*headers)
    table.add_column("description", overflow="fold")
    for recipe in recipes:
        cells = [
            Text(recipe.name, style="bold"),
            short_revision(recipe.revision),
            age(recipe.revised_at),
            recipe.workflow,
            ", ".join(recipe.presets),
        ]
        about = Text(recipe.error, style="red") if recipe.error else Text(recipe.description)
        table.add_row(*cells[: len(headers)], about)
    return table


def short_revision(sha256: str | None) -> str:
    """As much of a revision's hash as tells it from others."""
    return sha256[:_SHORT] if sha256 else NOTHING


def recipe_page(recipe: RecipeDetail) -> Group:
    """One recipe: its settings with their meaning, its presets, its stages."""
    return Group(*_recipe(recipe))


def _plan(plan: Plan) -> Iterator[RenderableType]:
    yield Text.assemble((plan.recipe, "bold"), f"  {plan.description}")
    yield facts(
        [
            ("workflow", plan.workflow),
            ("preset", plan.preset or "none"),
            ("manifest", plan.manifest),
            (
                "adapters",
                ", ".join(f"{key}={shown(value)}" for key, value in plan.adapters.items()),
            ),
            *([("after", ", ".join(plan.after))] if plan.after else []),
        ]
    )
    if plan.quote is not None:
        yield heading("Quote")
        yield facts(quote_facts(plan.quote))
    yield heading("Config")
    yield facts((key, _planned(key, value)) for key, value in plan.config.items())
    yield from _drawing(plan.drawing)


def _planned(key: str, value: Any) -> str:
    if key == "learning_rate" and value is None:
        return "none: suggested from the model when that has been fetched"
    return shown(value)


def _recipe(recipe: RecipeDetail) -> Iterator[RenderableType]:
    yield Text.assemble((recipe.name, "bold"), f"  {recipe.description}")
    yield facts(
        [
            ("workflow", recipe.workflow),
            ("file", recipe.path),
            ("revision", f"{short_revision(recipe.revision)}  {date(recipe.revised_at)}"),
        ]
    )
    own, others = _parted(recipe)
    if own:
        yield heading("Settings that the recipe has of its own")
        yield facts(own)
    yield heading("Other settings" if own else "Settings")
    yield facts(others)
    for name, values in recipe.preset_values.items():
        yield heading(f"Preset {name}")
        yield facts((key, shown(value)) for key, value in values.items())
    yield from _drawing(recipe.drawing)
    if recipe.revisions:
        yield heading("Revisions")
        yield facts((short_revision(each.sha256), _origin(each)) for each in recipe.revisions)
    yield Text(f"\nRun it: kitchen run {recipe.name} [KEY=VALUE]...", style="dim")


def _origin(revision: RevisionInfo) -> str:
    """When a revision came, and from which commit."""
    commit = f"  commit {revision.git_commit[:_SHORT]}" if revision.git_commit else ""
    return f"{date(revision.created_at)}{commit}{', changed since' if revision.git_dirty else ''}"


def _parted(recipe: RecipeDetail) -> tuple[list[tuple[str, Text]], list[tuple[str, Text]]]:
    """The settings in which the recipe differs from its workflow's defaults, or names models and data;
    and the others.
    """
    properties: dict[str, Any] = recipe.config_schema.get("properties", {})
    own: list[tuple[str, Text]] = []
    others: list[tuple[str, Text]] = []
    for key, value in recipe.config.items():
        field = properties.get(key, {})
        is_own = value != field.get("default", value) or ("ref" in field and bool(value))
        (own if is_own else others).append((key, _setting(field, value)))
    return own, others


def _setting(field: dict[str, Any], value: Any) -> Text:
    """A setting's value, what it means, and what it may be."""
    unit = f" {field['unit']}" if "unit" in field and value is not None else ""
    description = one_line(field.get("description", ""), 200)
    allowed = f" ({_allowed(field)})" if _allowed(field) else ""
    return Text.assemble(f"{shown(value)}{unit}  ", (f"{description}{allowed}", "dim"))


def _allowed(field: dict[str, Any]) -> str:
    """The choices of a setting, or its bounds, in words."""
    for branch in field.get("anyOf", []):
        field = field | branch if branch.get("type") != "null" else field
    if choices := field.get("enum"):
        return f"one of {', '.join(map(shown, choices))}"
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f"{low} to {high}"
    bounds = [
        (low, "{} or more"),
        (field.get("exclusiveMinimum"), "more than {}"),
        (high, "{} or less"),
        (field.get("exclusiveMaximum"), "less than {}"),
    ]
    return ", ".join(words.format(bound) for bound, words in bounds if bound is not None)


def _drawing(lines: list[str]) -> Iterator[RenderableType]:
    yield heading("Stages")
    yield Text("\n".join(lines))

"""Recipes, as lists and as forms show them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kitchen_daemon.models.base import Model


class RecipeSummary(Model):
    """A recipe as a list shows it. error: why its newest version can't be launched. revision: the SHA-256 of the last
    that can, and revised_at when it came.
    """

    name: str
    path: str
    description: str = ""
    workflow: str = ""
    presets: list[str] = Field(default_factory=list)
    shipped: bool = False
    error: str | None = None
    revision: str | None = None
    revised_at: float | None = None


class RecipeDetail(RecipeSummary):
    """A recipe whole. config_schema: JSON schema of its config, with units and bounds."""

    config: dict[str, Any] = Field(default_factory=dict)
    config_schema: dict[str, Any] = Field(default_factory=dict)
    preset_values: dict[str, dict[str, Any]] = Field(default_factory=dict)
    drawing: list[str] = Field(default_factory=list)
    stages: list[dict[str, Any]] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)

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


class RevisionInfo(Model):
    """A version that a recipe has had. created_at: when it was the newest first, or last again. git_dirty: whether
    its folder held what was not committed.
    """

    sha256: str
    recipe: str
    source_path: str
    git_commit: str | None = None
    git_dirty: bool = False
    created_at: float


class RecipeDetail(RecipeSummary):
    """A recipe whole. config_schema: JSON schema of its config, with units and bounds. revisions: the versions that
    it has had, the newest first, and of many the newest.
    """

    config: dict[str, Any] = Field(default_factory=dict)
    config_schema: dict[str, Any] = Field(default_factory=dict)
    preset_values: dict[str, dict[str, Any]] = Field(default_factory=dict)
    drawing: list[str] = Field(default_factory=list)
    stages: list[dict[str, Any]] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)
    revisions: list[RevisionInfo] = Field(default_factory=list)

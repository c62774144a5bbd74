"""A run to be queued, and what it would do."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from kitchen_daemon.models.base import Model


class Launch(Model):
    """A run to be queued.

    recipe: a name or the absolute path of a file. overrides: `{dotted.key: text or value}`, refs to
    files absolute. adapters: on top of the manifest, of a `port` its adapter, of a `port.option` that
    option's value as text. after: runs to wait for. Higher priority runs first.
    """

    recipe: str
    preset: str | None = None
    overrides: dict[str, Any] = Field(default_factory=dict)
    manifest: str = "dev"
    adapters: dict[str, str] = Field(default_factory=dict)
    name: str | None = Field(default=None, max_length=80)
    after: list[str] = Field(default_factory=list)
    priority: int = Field(default=0, ge=-1000, le=1000)

    @field_validator("name")
    @classmethod
    def _can_be_named(cls, name: str | None) -> str | None:
        if name is not None and (not name.strip() or "/" in name):
            raise ValueError("a name of some letters, without a slash")
        return name


class Plan(Model):
    """What a launch would do: the answer to a dry run. adapters: of a `port` its adapter, of a
    `port.option` that option's value.
    """

    recipe: str
    description: str
    workflow: str
    preset: str | None
    manifest: str
    config: dict[str, Any]
    config_hash: str
    recipe_revision: str
    pins: dict[str, str]
    adapters: dict[str, Any]
    after: list[str]
    drawing: list[str]

"""A run to be queued, and what it would do."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from kitchen_core.needs import MAIN_GROUP, Needs
from kitchen_daemon.models.base import Model
from kitchen_daemon.models.quotes import Quote


class Launch(Model):
    """A run to be queued.

    recipe: a name or the absolute path of a file. overrides: `{dotted.key: text or value}`, refs to
    files absolute. adapters: on top of the manifest, of a `port` its adapter, of a `port.option` that
    option's value as text. Higher priority runs first.

    after: runs that have to complete first; after_any: that have to end, however. at: when it may begin, as a user
    writes it (`22:00`, `tomorrow 06:30`, `2026-12-24 22:00`, `in 2h`). window: run only while that one is open.
    hold: until it is released. preempt: let runs of lower priority go aside for it. retries: how often it goes on
    by itself where it is interrupted; None: as the home's settings say. gpus, memory: what to keep for it, else by
    its quote; memory as text: `12GB`, `50%` of a GPU, which it then shares. revision: `good` (the last that could be
    loaded) or the SHA-256 of one; None: as the recipe is now.
    """

    recipe: str
    preset: str | None = None
    overrides: dict[str, Any] = Field(default_factory=dict)
    manifest: str = "dev"
    adapters: dict[str, str] = Field(default_factory=dict)
    name: str | None = Field(default=None, max_length=80)
    after: list[str] = Field(default_factory=list)
    after_any: list[str] = Field(default_factory=list)
    priority: int = Field(default=0, ge=-1000, le=1000)
    group: str = Field(default=MAIN_GROUP, min_length=1, max_length=80)
    at: str | None = None
    window: str | None = None
    hold: bool = False
    preempt: bool = False
    retries: int | None = Field(default=None, ge=0, le=100)
    gpus: int | None = Field(default=None, ge=1, le=64)
    memory: str | None = None
    revision: str | None = None

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
    needs: Needs = Needs()
    quote: Quote | None = None

"""What a home's daemon is told: `$KITCHEN_HOME/kitchen.toml`, read when it starts. Everything has a default."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kitchen_core.explaining import explain
from kitchen_core.home import Home


class BadSettings(ValueError):  # noqa: N818 - named by the condition
    """The settings file can't be used; the message is one line and names it."""


class Settings(BaseModel):
    """A home's settings.

    cpu_slots: CPU cores that runs may take together; None: all that the machine has. ram_kept_free_bytes: RAM that
    runs leave alone when there are several. retries: how often an interrupted run goes on by itself, unless its
    launch says otherwise. recipe_folders: more folders with recipes. cpu_watts: what the machine's CPU draws under
    full load, where it can't be measured; None: estimated from its cores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_slots: int | None = Field(default=None, ge=1)
    ram_kept_free_bytes: int = Field(default=2**30, ge=0)
    retries: int = Field(default=0, ge=0, le=100)
    recipe_folders: tuple[Path, ...] = ()
    cpu_watts: float | None = Field(default=None, gt=0)


DEFAULTS = Settings()
"""What holds without a file."""


def read_settings(home: Home) -> Settings:
    """The home's settings; the defaults without a file. Raises BadSettings."""
    try:
        given = tomllib.loads(home.settings.read_text())
    except FileNotFoundError:
        return DEFAULTS
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{home.settings} can't be read: {error}") from None
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise BadSettings(explain(error, Settings, str(home.settings))) from None

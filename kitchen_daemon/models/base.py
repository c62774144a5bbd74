"""What everything that goes over the socket has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """The base of all API models: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Problem(Model):
    """Why a request was refused: one line, and what to do."""

    message: str
    hint: str = ""

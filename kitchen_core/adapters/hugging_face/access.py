"""Which hub is asked, and as whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kitchen_core.train.ports.adapter import PortName

Kind = Literal["model", "dataset"]


@dataclass(frozen=True, slots=True)
class Access:
    """Which hub, and as whom. token_env: the name of the secret that the token comes from."""

    endpoint: str
    token: str | None = field(repr=False)
    token_env: str

    def page(self, kind: Kind, repo: str) -> str:
        """The address at which a person sees a repository."""
        folder = "datasets/" if kind == "dataset" else ""
        return f"{self.endpoint.rstrip('/')}/{folder}{repo}"


@dataclass(frozen=True, slots=True)
class Asking:
    """One thing that is asked of a hub, so that a failure can say what it was.

    asked: in a few words. repo: the repository that it is about, None where it is about none.
    """

    access: Access
    port: PortName
    kind: Kind
    asked: str
    repo: str | None = None

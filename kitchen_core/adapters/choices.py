"""Choices: that what serves a port can serve it, and that its options are ones that it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.no_secrets import secret_in
from kitchen_core.adapters.options import WrongType, options_of
from kitchen_core.train.naming import closest
from kitchen_core.train.ports.adapter import PORTS, Adapter, PortName


class ManifestError(ValueError):
    """A manifest names something that there is not. The message says what, and the nearest that there is."""


class PortChoice(BaseModel):
    """One port's adapter; every other key is an option of that adapter."""

    model_config = ConfigDict(extra="allow", frozen=True)

    adapter: str

    @property
    def options(self) -> dict[str, Any]:
        """The adapter's options."""
        return dict(self.model_extra or {})

    def with_options(self, options: dict[str, Any]) -> PortChoice:
        """The same adapter with these options on top."""
        return PortChoice(adapter=self.adapter, **(self.options | options))


def checked(port: str, choice: PortChoice) -> PortChoice:
    """The choice with its options as the adapter takes them. Raises ManifestError where there is no such
    port or adapter, where the adapter does not serve the port, and for an option that is unknown, of the
    wrong type, missing or a secret.
    """
    adapter = _adapter(port, choice.adapter)
    _check_no_secret(port, choice, adapter)
    options = options_of(adapter, cast(PortName, port))
    for name in choice.options:
        if name not in options:
            raise ManifestError(
                f"the adapter {choice.adapter} has no option {name!r} for {port}{meant(name, options)}"
            )
    for option in options.values():
        if option.required and option.name not in choice.options:
            raise ManifestError(
                f"the adapter {choice.adapter} needs the option {option.name} for {port}; give it in the "
                f"manifest, or by --adapter {port}.{option.name}=..."
            )
    try:
        return choice.with_options(
            {name: options[name].typed(value) for name, value in choice.options.items()}
        )
    except WrongType as error:
        raise ManifestError(f"{port}.{error}") from None


def meant(asked: str, known: Iterable[str]) -> str:
    """What the user may have meant, as the end of a sentence."""
    names = sorted(known)
    if close := closest(asked, names):
        return f"; did you mean {close!r}?"
    return f"; there is {', '.join(names)}" if names else "; it takes none"


def check_port(port: str) -> None:
    """Raise ManifestError where there is no such port."""
    if port not in PORTS:
        raise ManifestError(f"there is no port {port!r}{meant(port, PORTS)}")


def _check_no_secret(port: str, choice: PortChoice, adapter: Adapter) -> None:
    if secret := secret_in(choice.options):
        names = [*adapter.secrets, *adapter.optional_secrets]
        raise ManifestError(
            f"{port}: {secret} looks like a key, and manifests are kept with runs; "
            f"put it into secrets.env{f' (as {names[0]} or its like)' if names else ''}"
        )


def _adapter(port: str, name: str) -> Adapter:
    check_port(port)
    found = find_adapters()
    if (reason := found.why_broken(name)) is not None:
        raise ManifestError(f"the adapter {name} of {port} can't be used: it {reason}")
    if name not in found.by_name:
        near = meant(name, found.serving(cast(PortName, port)))
        raise ManifestError(f"there is no adapter {name!r} for {port}{near}")
    adapter = found.by_name[name]
    if port not in adapter.ports:
        raise ManifestError(
            f"the adapter {name} does not serve {port}; {', '.join(found.serving(port))} can"
        )
    return adapter

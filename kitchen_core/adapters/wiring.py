"""From a manifest to living ports."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest
from kitchen_core.adapters.readiness import check_ready
from kitchen_core.adapters.retry import retrying
from kitchen_core.train.ports.adapter import Adapter, PortName
from kitchen_core.train.ports.notices import Notify, nobody

logger = logging.getLogger(__name__)


class Wiring:
    """Connects the ports of one manifest.

    secrets: environment names to their values. notify: told what adapters have to say while they work.
    """

    def __init__(
        self, manifest: Manifest, secrets: Mapping[str, str], notify: Notify = nobody
    ) -> None:
        self._manifest = manifest
        self._secrets = secrets
        self._notify = notify
        self._connected: dict[PortName, Any] = {}

    def connect(self, port: PortName) -> Any:
        """The port's adapter, the same instance at every call; a remote one asks again as the
        manifest's retry policy says. Raises a PortError where nothing serves the port, or what it needs
        is not here.
        """
        if port not in self._connected:
            check_ready(self._manifest, (port,), self._secrets)
            self._connected[port] = self._new(port)
        return self._connected[port]

    async def close(self) -> None:
        """Give back what the adapters hold: processes, connections."""
        while self._connected:
            port, adapter = self._connected.popitem()
            try:
                if hasattr(adapter, "close"):
                    await adapter.close()
            except Exception:  # must not hide how the run ended
                logger.exception("the adapter of %s was not closed", port)

    def _new(self, port: PortName) -> Any:
        choice = self._manifest.ports[port]
        adapter = find_adapters().by_name[choice.adapter]
        client = adapter.ports[port](**choice.options, **self._given(adapter))
        if adapter.offline or adapter.own_retries:
            return client
        return retrying(client, self._manifest.retry)

    def _given(self, adapter: Adapter) -> dict[str, Any]:
        """What an adapter gets beside its options, as far as it asks for it."""
        given: dict[str, Any] = {}
        if adapter.secrets or adapter.optional_secrets:
            given["secrets"] = self._secrets
        if adapter.notifies:
            given["notify"] = self._notify
        return given

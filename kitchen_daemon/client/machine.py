"""Calls about the machine."""

from __future__ import annotations

from kitchen_daemon.client.connection import Connection
from kitchen_daemon.models import MachineInfo


class MachineCalls(Connection):
    """The machine."""

    def machine(self) -> MachineInfo:
        """Devices, who uses them, and gauges with their last minutes."""
        return self._one(MachineInfo, "GET", "/machine")

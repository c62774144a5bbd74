"""The route about the machine."""

from __future__ import annotations

from fastapi import FastAPI

from kitchen_daemon.api.kitchen import Kitchen
from kitchen_daemon.machine.showing import machine_info
from kitchen_daemon.models import MachineInfo


def machine_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add it."""

    @app.get("/machine")
    def machine() -> MachineInfo:
        """Devices, who uses them, and gauges with their last minutes."""
        return machine_info(kitchen.gauges, kitchen.settings, kitchen.dispatcher.tenants)

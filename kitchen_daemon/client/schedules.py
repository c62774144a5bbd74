"""Calls about time: schedules, windows, the plan of the night."""

from __future__ import annotations

from kitchen_daemon.client.connection import Connection, given, segment
from kitchen_daemon.models import (
    NewSchedule,
    NewWindow,
    NightPlan,
    RunInfo,
    ScheduleInfo,
    WindowInfo,
)


class ScheduleCalls(Connection):
    """Schedules, by name or id, and windows, by name."""

    def schedules(self) -> list[ScheduleInfo]:
        """Every schedule, the next due first and those that are done last."""
        return self._many(ScheduleInfo, "GET", "/schedules")

    def schedule(self, schedule: str) -> ScheduleInfo:
        """One schedule."""
        return self._one(ScheduleInfo, "GET", f"/schedules/{segment(schedule)}")

    def add_schedule(self, new: NewSchedule) -> ScheduleInfo:
        """Keep a launch for its times; it is checked as a launch is."""
        return self._one(ScheduleInfo, "POST", "/schedules", json=new.model_dump())

    def remove_schedule(self, schedule: str) -> ScheduleInfo:
        """Forget a schedule; what it has submitted stays."""
        return self._one(ScheduleInfo, "DELETE", f"/schedules/{segment(schedule)}")

    def enable_schedule(self, schedule: str, enabled: bool) -> ScheduleInfo:
        """Let a schedule fire from now on, or no more."""
        verb = "enable" if enabled else "disable"
        return self._one(ScheduleInfo, "POST", f"/schedules/{segment(schedule)}/{verb}")

    def fire_schedule(self, schedule: str) -> RunInfo:
        """Let a schedule fire at once, beside its own times."""
        return self._one(RunInfo, "POST", f"/schedules/{segment(schedule)}/fire")

    def windows(self) -> list[WindowInfo]:
        """Every window, by name."""
        return self._many(WindowInfo, "GET", "/windows")

    def put_window(self, new: NewWindow) -> WindowInfo:
        """Keep a window, in place of the one of its name if there is one."""
        return self._one(WindowInfo, "PUT", "/windows", json=new.model_dump())

    def remove_window(self, window: str, *, force: bool = False) -> WindowInfo:
        """Forget a window; refused while runs or schedules name it, unless forced."""
        params = {"force": force}
        return self._one(WindowInfo, "DELETE", f"/windows/{segment(window)}", params=params)

    def night(self, until: str | None = None) -> NightPlan:
        """What runs when, by the quotes, until a time as a user writes it; None: until the next morning."""
        return self._one(NightPlan, "GET", "/night", params=given({"until": until}))

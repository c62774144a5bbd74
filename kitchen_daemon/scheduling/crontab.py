"""A line of a crontab as APScheduler's triggers.

Two things differ there. It counts weekdays from Monday, where a crontab has 0 and 7 for Sunday; and it wants day of the
month and day of the week both to fit, where in a crontab that restricts both either is enough.
"""

from __future__ import annotations

import re
from datetime import UTC

from apscheduler.triggers.cron import CronTrigger

from kitchen_core.explaining import shown
from kitchen_daemon.scheduling.words import DAYS, BadTime

EXAMPLE = "cron 0 22 * * 1-5 (minute, hour, day of the month, month, day of the week)"
_NAMES = (DAYS[-1], *DAYS)
"""From Sunday to Sunday, as a crontab counts: 0 to 7."""
_WEEKDAYS = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d*))?")


def cron_triggers(fields: list[str]) -> tuple[CronTrigger, ...]:
    """The triggers that fire together as the five fields of a crontab say, over the clock on the wall as if it were
    UTC. Raises BadTime.
    """
    if len(fields) != 5:
        raise BadTime(f"a crontab has five fields, given {len(fields)}; write it as {EXAMPLE}")
    minute, hour, day, month, weekday = fields
    names = _weekdays(weekday)
    either = not day.startswith("*") and not weekday.startswith("*")
    wanted = [(day, "*"), ("*", names)] if either else [(day, names)]
    try:
        return tuple(
            CronTrigger(
                month=month, day=days, day_of_week=of_week, hour=hour, minute=minute, timezone=UTC
            )
            for days, of_week in wanted
        )
    except ValueError as error:
        raise BadTime(
            f"{shown(' '.join(fields))}: {_small(error)}; write it as {EXAMPLE}"
        ) from None


def _weekdays(field: str) -> str:
    """The field with names for numbers, which APScheduler reads as a crontab does."""
    if field == "*":
        return field
    days: set[str] = set()
    for part in field.split(","):
        found = _WEEKDAYS.fullmatch(part)
        first, last, step = found.group("first", "last", "step") if found else ("", None, None)
        begin = 0 if first is None else _number(first)
        end = _number(last) if last else (6 if first is None or step else begin)
        if begin is None or end is None or begin > end:
            raise BadTime(
                f"{shown(part)} is no day of the week of a crontab: 0 to 7, 0 and 7 being Sunday, or mon to sun"
            )
        days.update(_NAMES[day] for day in range(begin, end + 1, int(step or 1)))
    return ",".join(sorted(days, key=DAYS.index))


def _number(text: str) -> int | None:
    if text in DAYS:
        return _NAMES.index(text)
    return int(text) if text.isdecimal() and int(text) < len(_NAMES) else None


def _small(error: Exception) -> str:
    message = " ".join(str(error).split())
    return message[:1].lower() + message[1:]

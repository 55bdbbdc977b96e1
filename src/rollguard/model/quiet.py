"""Quiet windows in time: local clocks, midnight and changes of the clock included."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

from rollguard.model.policy import QuietWindow
from rollguard.model.time import Instant

LONGEST = 7 * 86400.0
"""Seconds after which it is not quiet any more, whatever the windows say."""


def quiet_until(window: QuietWindow, now: Instant) -> Instant | None:
    """When the window ends that `now` lies in (its start belongs to it, its end does not); None outside of it.

    A time that the local clock jumps over counts as if the clock had not been changed; of one that comes twice the
    window begins at the first and ends at the second.
    """
    zone = ZoneInfo(window.time_zone)
    today = datetime.datetime.fromtimestamp(now.seconds, zone).date()
    for day in (today, today - datetime.timedelta(days=1)):
        if window.days and day.weekday() not in window.days:
            continue
        over = 0 if window.end > window.begin else 1
        begin = _moments(day, window.begin, zone)[0]
        end = max(_moments(day + datetime.timedelta(days=over), window.end, zone))
        if begin <= now < end:
            return end
    return None


def _moments(day: datetime.date, minutes: int, zone: ZoneInfo) -> tuple[Instant, Instant]:
    """The moment at which the local clock shows that time, for the first time and for the last."""
    local = datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(minutes=minutes)
    first, last = (local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    return Instant(first), Instant(last)


def latest_end(windows: tuple[QuietWindow, ...], now: Instant) -> tuple[QuietWindow, Instant] | None:
    """Of the windows that `now` lies in the one that ends last, with its end; None outside of all."""
    inside = [(window, end) for window in windows if (end := quiet_until(window, now)) is not None]
    return max(inside, key=lambda each: each[1], default=None)


def quiet_through(windows: tuple[QuietWindow, ...], moment: Instant) -> Instant | None:
    """When it is quiet no more: the end of the window that the moment lies in, or of those that it goes over into;
    at most LONGEST later. None where it is not quiet then."""
    limit, end = moment.plus(LONGEST), None
    found = latest_end(windows, moment)
    while found is not None and (end is None or end < limit):
        end = found[1]
        found = latest_end(windows, end)
    return min(end, limit) if end is not None else None

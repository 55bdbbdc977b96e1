"""Wall time and monotonic time as different types, so that neither is mistaken for the other."""

from __future__ import annotations

import datetime
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A point of wall time, in seconds since the epoch (UTC)."""

    seconds: float

    def plus(self, seconds: float) -> Instant:
        """The instant that many seconds later (earlier when negative)."""
        return Instant(self.seconds + seconds)

    def since(self, earlier: Instant) -> float:
        """Seconds from `earlier` to this instant."""
        return self.seconds - earlier.seconds

    def iso(self) -> str:
        """RFC 3339 in UTC with milliseconds, as `2026-11-03T02:15:04.250Z`."""
        moment = datetime.datetime.fromtimestamp(self.seconds, datetime.UTC)
        return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

    def iso_second(self) -> str:
        """The same to the whole second, as `2026-11-03T02:15:04Z`: for people."""
        return f"{self.iso()[:19]}Z"

    @staticmethod
    def parse(text: str) -> Instant:
        """The instant written as RFC 3339; raises ValueError where it is not one."""
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        if moment.tzinfo is None:
            raise ValueError(f"{text!r} has no time zone")
        return Instant(moment.timestamp())


@dataclass(frozen=True, slots=True, order=True)
class Mono:
    """A point of a process's monotonic clock, in seconds; means nothing outside that process."""

    seconds: float

    def plus(self, seconds: float) -> Mono:
        """The point that many seconds later."""
        return Mono(self.seconds + seconds)

    def since(self, earlier: Mono) -> float:
        """Seconds from `earlier` to this point."""
        return self.seconds - earlier.seconds


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """A closed, non-overlapping interval (start, end] of metrics time; what is judged."""

    start: Instant
    end: Instant

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return self.end.since(self.start)

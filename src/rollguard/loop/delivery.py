"""How far a notice has come on its routes, and what follows from the channels' answers. Pure: sending is the outbox's.

The way of a route that counts is its first one that is connected, has not been given up, does not say that it is not
configured, and was not tried so often in vain that a later one is better. Channels of one place are one way: another
name is no better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from rollguard.loop.timeline import to_milliseconds
from rollguard.model.notices import Notice, NoticeClass, NoticeState
from rollguard.model.time import Instant
from rollguard.notify.routing import Route
from rollguard.ports import Accepted, NotConfigured, Refused, Retry

Answer = Accepted | Refused | Retry | NotConfigured
BACK_OFF = (1.0, 2.0, 5.0, 15.0, 60.0, 120.0, 300.0)
"""Seconds between two tries by one way."""
TRIES_BEFORE_NEXT = 3
"""Tries by a way where there is another after it."""
PAGE_WAITS = 30.0
"""Seconds: a page does not wait longer for a way where there is another."""
WHY_MAX, DETAIL_MAX = 200, 500


def reached(notice: Notice, beyond: Notice) -> Notice:
    """The notice as its record has it, with how far it had come beyond that."""
    return replace(
        notice,
        taken=tuple(dict.fromkeys((*notice.taken, *beyond.taken))),
        given_up=tuple({**dict(notice.given_up), **dict(beyond.given_up)}.items()),
        tries=beyond.tries,
        waits=beyond.waits,
    )


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One notice under way."""

    notice: Notice
    routes: tuple[Route, ...]
    connected: frozenset[str]
    """Names of the channels that there are."""
    place: Callable[[str], str]
    """Where a channel's messages arrive: channels of one place get one message."""
    attempts: int
    """Tries by the last way of a route."""
    missing: dict[str, str] = field(default_factory=dict)
    """Channels that said they are not configured, and what is missing: asked anew in the next round of sending."""
    waiting: dict[str, str] = field(default_factory=dict)
    """What channels said that are to be tried again."""

    def due(self, now: Instant) -> tuple[str, ...]:
        """The channels to send by now, each place once, the most urgent first."""
        waits = {self.place(channel): until for channel, until in self.notice.waits}
        found: dict[str, str] = {}
        for way in self._ways():
            place = self.place(way)
            if place not in waits or waits[place] <= now:
                found.setdefault(place, way)
        return tuple(found.values())

    def fold(self, answers: Mapping[str, Answer], now: Instant) -> None:
        """Takes the answers of channels into account."""
        for channel, answer in answers.items():
            self.missing.pop(channel, None)
            self.waiting.pop(channel, None)
            match answer:
                case Accepted():
                    self._forget(channel)
                    if channel not in self.notice.taken:
                        self.notice = replace(self.notice, taken=(*self.notice.taken, channel))
                case NotConfigured(detail=detail):
                    self._forget(channel)
                    self.missing[channel] = detail
                case Refused(detail=detail):
                    self._give_up(channel, f"refused: {detail}")
                case Retry():
                    self._again(channel, answer, now)

    def ended(self) -> Notice:
        """The notice after a round of sending: accepted, failed, or pending until its next one."""
        lost = [route for route in self.routes if self._way(route) is None]
        failed = any(self._tried(route) for route in lost)
        pending = bool(self._ways())
        state = NoticeState.PENDING if pending else NoticeState.FAILED if failed else NoticeState.ACCEPTED
        return replace(
            self.notice,
            attempts=self.notice.attempts + 1,
            state=state,
            next_attempt=min((until for _, until in self.notice.waits), default=None) if pending else None,
            detail=self._detail(lost)[:DETAIL_MAX],
            tries=self.notice.tries if pending else (),
            waits=self.notice.waits if pending else (),
        )

    def _ways(self) -> list[str]:
        """What is still to be taken by a channel: the way that counts of each open route."""
        ways = (self._way(route) for route in self.routes)
        taken = {self.place(channel) for channel in self.notice.taken}
        return [way for way in ways if way is not None and self.place(way) not in taken]

    def _way(self, route: Route) -> str | None:
        given_up = {self.place(channel) for channel, _ in self.notice.given_up}
        ways: dict[str, str] = {}
        for way in route.ways:
            if way in self.connected and way not in self.missing:
                ways.setdefault(self.place(way), way)
        usable = [way for place, way in ways.items() if place not in given_up]
        fresh = [way for way in usable if self._tries(way) < TRIES_BEFORE_NEXT]
        return next(iter([*fresh, *usable[-1:]]), None)

    def _tries(self, channel: str) -> int:
        """How often it was tried at that channel's place."""
        place = self.place(channel)
        return max((number for name, number in self.notice.tries if self.place(name) == place), default=0)

    def _again(self, channel: str, answer: Retry, now: Instant) -> None:
        """A way that did not answer well is tried again, and given up where nothing waits for it any more."""
        tries = 1 + self._tries(channel)
        pause = max(min(answer.after, BACK_OFF[-1]), BACK_OFF[min(tries, len(BACK_OFF)) - 1])
        if self.notice.class_ is NoticeClass.PAGE and pause > PAGE_WAITS:
            tries = max(tries, TRIES_BEFORE_NEXT)
        self._forget(channel)
        until = to_milliseconds(now.plus(pause))
        tried, waits = (*self.notice.tries, (channel, tries)), (*self.notice.waits, (channel, until))
        self.notice = replace(self.notice, tries=tried, waits=waits)
        if tries >= self.attempts or self.place(channel) not in map(self.place, self._ways()):
            self._give_up(channel, f"given up: {answer.detail}")
        else:
            self.waiting[channel] = answer.detail

    def _give_up(self, channel: str, why: str) -> None:
        self._forget(channel)
        self.notice = replace(self.notice, given_up=(*self.notice.given_up, (channel, why[:WHY_MAX])))

    def _forget(self, channel: str) -> None:
        place = self.place(channel)
        tries = tuple(each for each in self.notice.tries if self.place(each[0]) != place)
        waits = tuple(each for each in self.notice.waits if self.place(each[0]) != place)
        self.notice = replace(self.notice, tries=tries, waits=waits)

    def _detail(self, lost: list[Route]) -> str:
        said = [f"{channel} {why}" for channel, why in self.notice.given_up]
        said += [f"{channel}: {why}" for channel, why in self.waiting.items()]
        for route in lost:
            missing = [f"{way} is not configured ({self.missing[way]})" for way in route.ways if way in self.missing]
            said += [] if self._tried(route) else [f"{route.name}: {'; '.join(missing) or 'no channel'}"]
        return "; ".join(said)

    def _tried(self, route: Route) -> bool:
        """Whether one of its ways was given up: it is not just that there is none."""
        given_up = {self.place(channel) for channel, _ in self.notice.given_up}
        return any(self.place(way) in given_up for way in route.ways)

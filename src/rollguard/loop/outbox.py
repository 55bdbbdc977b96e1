"""Sends what stands in the records as pending, and marks it after (rule 10).

A notice goes by its routes, and by another way where one does not take it. Which channels took it stands in the notice,
so that a retry, also by the next leader, does not repeat it to them more often than needed. Channels do not wait for
one another: one that hangs delays only what goes to itself.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from rollguard.loop import telling, units
from rollguard.loop.connections import Connected, Connections
from rollguard.loop.delivery import Answer, Delivery, reached
from rollguard.loop.leader import Gate, LeadershipLost
from rollguard.loop.settings import Log, Settings
from rollguard.loop.store import Store, Unavailable, Vanished
from rollguard.loop.told import Told
from rollguard.loop.workers import POLL
from rollguard.model.action import Unknown
from rollguard.model.channels import PAGERDUTY
from rollguard.model.handling import Acknowledgement
from rollguard.model.names import UnitName
from rollguard.model.notices import Notice, NoticeClass, NoticeState
from rollguard.model.policy import Policy
from rollguard.model.records import RolloutRecord, UnitRecord
from rollguard.model.time import Mono
from rollguard.notify.quiet import kept_until
from rollguard.notify.routing import at_once, routes
from rollguard.ports import Accepted, Channels, Clock, Notifier, Pager, Refused, Retry

NOTICE_FAILED = "NoticeFailed"
"""Condition of a unit whose last notice did not arrive where it should."""
GRACE = 1.0
"""Seconds beyond its time limit that a channel has to say so itself."""
MARK_WITHIN = 1.0
"""Seconds after which it is marked who took a notice, though another channel has not answered yet."""
ERROR_PAUSE = 1.0
MARK_AGAIN = 5.0
"""Seconds until it is tried again to write down what became of a notice."""
UNMARKED_MAX = 1000


@dataclass(slots=True, kw_only=True)
class _Unmarked:
    """What became of a notice, while its record does not say so: what a channel took does not go to it again."""

    notice: Notice
    references: dict[str, str]
    again: Mono


class Outbox:
    """One sender for all records."""

    def __init__(
        self,
        *,
        store: Store,
        channels: Channels,
        policy: Policy,
        gate: Gate,
        clock: Clock,
        settings: Settings,
        log: Log,
    ) -> None:
        self._store = store
        self._connections = Connections(channels)
        self._under_way: set[str] = set()
        self._unmarked: dict[str, _Unmarked] = {}
        self._finishing = False
        self.policy = policy
        """By which notices go out from the next round on."""
        self.told = Told()
        """How each channel fared."""
        self._gate = gate
        self._clock = clock
        self._settings = settings
        self._log = log
        self.errors = 0
        """Unexpected errors of channels."""

    def pending(self) -> int:
        """Notices that are neither accepted nor failed, without those that quiet hours keep back."""
        of_rollouts = [n for rollout in self._store.rollouts for n in _pending(rollout.notices)]
        of_units = [n for unit in self._store.units for n in _pending(unit.notices)]
        return sum(not notice.kept for notice in (*of_rollouts, *of_units))

    def needs(self) -> tuple[tuple[str, str], ...]:
        """Each channel of the policy and what it still needs, empty where it is set up; none where that is not known
        here."""
        return self._connections.channels.needs(self.policy)

    async def send_due(self, sending: asyncio.TaskGroup) -> None:
        """Begins to send every notice that is due and not under way, pages first, each as a task of `sending`.

        Without a channel, as where a person's command acts in the controller's place, notices stay pending for the
        controller: nobody has accepted them.
        """
        if self._finishing or not self._gate.leading():
            return
        self._store.forget_settled()
        channels = await self._connections.present(self.policy)
        if not channels.notifiers:
            return
        now = self._clock.now()
        due: list[tuple[Notice, UnitName, RolloutRecord | None]] = []
        for rollout in self._store.rollouts:
            due += [(n, rollout.unit, rollout) for n in _pending(rollout.notices) if _is_due(n, now.seconds)]
        for unit in self._store.units:
            due += [(n, unit.name, None) for n in _pending(unit.notices) if _is_due(n, now.seconds)]
        due.sort(key=lambda entry: (entry[0].class_ is not NoticeClass.PAGE, entry[0].at, entry[0].id))
        for notice, name, record in due:
            if notice.kept and kept_until(notice, record, channels.of.quiet) is not None:
                continue  # told together with others, see `quieting`
            if notice.id not in self._under_way and not self._rests(notice):
                self._under_way.add(notice.id)
                channels.users += 1
                sending.create_task(self._deliver(channels, notice, name, record))

    async def acknowledged(self, reference: str) -> Acknowledgement | Unknown | None:
        """Who has acknowledged what the pager knows by that reference; None while nobody has, Unknown where the pager
        does not say, or none is connected."""
        channels = await self._connections.present(self.policy)
        pager = next((notifier for notifier in channels.notifiers.values() if isinstance(notifier, Pager)), None)
        if pager is None:
            return Unknown(detail="no channel can say who has acknowledged")
        channels.users += 1
        try:
            async with asyncio.timeout(self._settings.notice_timeout + GRACE):
                return await pager.acknowledged(reference, timeout=self._settings.notice_timeout)
        except TimeoutError:
            return Unknown(detail=f"{pager.name}: no whole answer within {self._settings.notice_timeout + GRACE:g} s")
        finally:
            channels.users -= 1

    async def finish(self, deadline: Mono) -> None:
        """Begins to send nothing new, and returns when what is under way is marked or the deadline has passed: the next
        guard would send it again."""
        self._finishing = True
        while self._under_way and self._clock.mono() < deadline:
            await self._clock.sleep_until(self._clock.mono().plus(POLL))

    async def close(self) -> None:
        """Ends the channels' connections."""
        await self._connections.close()

    async def _deliver(
        self, channels: Connected, notice: Notice, unit: UnitName, rollout: RolloutRecord | None
    ) -> None:
        """What one notice makes go wrong must not end the sending of the others."""
        try:
            await self._send(channels, notice, unit, rollout)
        except (LeadershipLost, Unavailable, Vanished) as error:
            self._log("notice-not-marked", {"notice": notice.id, "detail": str(error)})
        except Exception:
            if self._settings.fail_fast:
                raise
            self.errors += 1
            self._log("notice-error", {"notice": notice.id, "traceback": traceback.format_exc()})
        finally:
            self._under_way.discard(notice.id)
            channels.users -= 1

    def _rests(self, notice: Notice) -> bool:
        """Whether it was just tried in vain to write down what became of it."""
        unmarked = self._unmarked.get(notice.id)
        return unmarked is not None and self._clock.mono() < unmarked.again

    def _remember(self, notice: Notice, references: dict[str, str]) -> None:
        """Until it is marked: also over a loss of the leadership, for that is when it cannot be."""
        again = self._clock.mono().plus(MARK_AGAIN)
        self._unmarked.pop(notice.id, None)
        self._unmarked[notice.id] = _Unmarked(notice=notice, references=references, again=again)
        if len(self._unmarked) > UNMARKED_MAX:
            del self._unmarked[next(iter(self._unmarked))]

    async def _send(self, channels: Connected, notice: Notice, unit: UnitName, rollout: RolloutRecord | None) -> None:
        """By every way that is due; at once by the next one where a way is given up or not configured."""
        unmarked = self._unmarked.get(notice.id)
        references = unmarked.references if unmarked is not None else {}
        until = kept_until(notice, rollout, channels.of.quiet)
        quiet = until is not None and self._clock.now() < until
        found = routes(notice, channels.of, rollout)
        delivery = Delivery(
            notice=reached(notice, unmarked.notice) if unmarked is not None else notice,
            routes=at_once(found) if quiet else found,
            connected=frozenset(channels.notifiers),
            place=cache(lambda channel: self._connections.channels.place(channel, channels.of)),
            attempts=self._settings.notice_attempts,
        )
        while due := delivery.due(self._clock.now()):
            tasks = {
                name: asyncio.create_task(self._send_by(channels.notifiers[name], channels.room(name), notice, rollout))
                for name in due
            }
            try:
                await self._fold(delivery, tasks, references, unit, rollout)
            finally:
                for task in tasks.values():
                    task.cancel()
        changed = delivery.ended()
        if quiet and changed.state is not NoticeState.PENDING:
            changed = replace(changed, state=NoticeState.PENDING, kept=True)
        elif changed.kept:
            changed = replace(changed, kept=False)
        if changed.state is NoticeState.FAILED:
            self._log("notice-failed", {"notice": notice.id, "detail": changed.detail})
        await self._mark(changed, references, unit, rollout)
        self._unmarked.pop(notice.id, None)

    async def _fold(
        self,
        delivery: Delivery,
        tasks: Mapping[str, asyncio.Task[Answer]],
        references: dict[str, str],
        unit: UnitName,
        rollout: RolloutRecord | None,
    ) -> None:
        """Waits for the answers. Who took it is marked before long: a crash while one channel hangs repeats nothing to
        the others."""
        waiting = set(tasks.values())
        while waiting:
            within = MARK_WITHIN if len(waiting) == len(tasks) and len(tasks) > 1 else None
            done, waiting = await asyncio.wait(waiting, timeout=within)
            answers = {name: task.result() for name, task in tasks.items() if task in done}
            delivery.fold(answers, self._clock.now())
            for name, answer in answers.items():
                self.told.note(name, answer)
                if isinstance(answer, Accepted) and answer.reference:
                    references.setdefault(name, answer.reference)
            self._remember(delivery.notice, references)
            if waiting and any(isinstance(answer, Accepted) for answer in answers.values()):
                await self._mark(delivery.notice, references, unit, rollout)

    async def _send_by(
        self, notifier: Notifier, room: asyncio.Semaphore, notice: Notice, rollout: RolloutRecord | None
    ) -> Answer:
        """One channel's answer, in its turn and within its time, whatever it does.

        A bug in one channel is a refusal: it must not keep the notice from the others.
        """
        limit = self._settings.notice_timeout
        try:
            async with room, asyncio.timeout(limit + GRACE):
                return await notifier.send(notice, rollout, timeout=limit)
        except TimeoutError:
            return Retry(after=ERROR_PAUSE, detail=f"no whole answer within {limit + GRACE:g} s")
        except Exception as error:
            if self._settings.fail_fast:
                raise
            self.errors += 1
            fields = {"channel": notifier.name, "notice": notice.id, "traceback": traceback.format_exc()}
            self._log("channel-error", fields)
            return Refused(detail=f"unexpected {type(error).__name__}, see the log")

    async def _mark(
        self, notice: Notice, references: Mapping[str, str], unit: UnitName, rollout: RolloutRecord | None
    ) -> None:
        def on_unit(record: UnitRecord) -> UnitRecord:
            if notice.state is not NoticeState.PENDING:
                failed = notice.detail if notice.state is NoticeState.FAILED else ""
                record = units.with_condition(record, NOTICE_FAILED, failed)
            return replace(record, notices=telling.with_notice(record.notices, notice))

        def on_rollout(record: RolloutRecord) -> RolloutRecord:
            known = {**references, **dict(record.references)}
            if PAGERDUTY in references:  # where the first incident is resolved a page opens another: that is read then
                known[PAGERDUTY] = references[PAGERDUTY]
            return replace(
                record, notices=telling.with_notice(record.notices, notice), references=tuple(sorted(known.items()))
            )

        if rollout is not None:
            await self._store.change_rollout(rollout.id, on_rollout)
        known = self._store.unit(unit)
        if rollout is None or (known is not None and on_unit(known) != known):
            await self._store.change_unit(unit, on_unit)


def _pending(notices: tuple[Notice, ...]) -> list[Notice]:
    return [n for n in notices if n.state is NoticeState.PENDING]


def _is_due(notice: Notice, now: float) -> bool:
    return notice.next_attempt is None or notice.next_attempt.seconds <= now

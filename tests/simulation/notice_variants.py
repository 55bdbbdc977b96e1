"""The guard's notices with one of their rules taken away, and where that shows."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from rollguard import judge
from rollguard.loop import delivery, executor, sending, verify
from rollguard.loop.context import Context, Memory
from rollguard.loop.delivery import Delivery
from rollguard.loop.sending import Go, Tally
from rollguard.model.action import Absent, Plan, Unknown, Write
from rollguard.model.channels import EMAIL, PAGERDUTY, PAGERDUTY_EVENTS, SLACK_DEPLOYMENTS, SLACK_INCIDENTS
from rollguard.model.notices import Notice, NoticeState
from rollguard.model.records import RolloutRecord, Stale, StoredRollout
from rollguard.model.time import Instant
from rollguard.notify import pages
from rollguard.notify.routing import Route
from rollguard.sim.channels import Down, Outage
from rollguard.sim.records import SimRecords
from rollguard.undo import Next
from tests.simulation.harness import Wiring
from tests.simulation.outlets import FOREVER, Outlets
from tests.simulation.variants import Variant

ALL_UP = Outlets(names=(SLACK_DEPLOYMENTS, SLACK_INCIDENTS, PAGERDUTY, PAGERDUTY_EVENTS, EMAIL))


def _down(channel: str, how: Down, *, end: float = FOREVER) -> Outlets:
    return replace(ALL_UP, outages=((channel, Outage(start=0.0, end=end, how=how)),))


class UntakenRecords(SimRecords):
    """It does not stand in a record who took a notice that others have not taken yet."""

    async def replace_rollout(
        self, stored: StoredRollout, record: RolloutRecord
    ) -> StoredRollout | Stale | Absent | Unknown:
        notices = tuple(_untaken(notice) for notice in record.notices)
        return await super().replace_rollout(stored, replace(record, notices=notices))


def _untaken(notice: Notice) -> Notice:
    return replace(notice, taken=()) if notice.state is NoticeState.PENDING else notice


def _know_no_other_way(patch: pytest.MonkeyPatch) -> None:
    real = Delivery._way

    def first_alone(self: Delivery, route: Route) -> str | None:
        return real(self, replace(route, ways=route.ways[:1]))

    patch.setattr(Delivery, "_way", first_alone)


def _try_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delivery, "TRIES_BEFORE_NEXT", 1)


def _key_by_notice(patch: pytest.MonkeyPatch) -> None:
    def key(notice: Notice, rollout: RolloutRecord | None, cluster: str) -> str:
        return notice.id

    patch.setattr(pages, "_key", key)


def _recover_at_once(patch: pytest.MonkeyPatch) -> None:
    def at_once(
        context: Context,
        memory: Memory,
        record: RolloutRecord,
        plan: Plan,
        now: Instant,
    ) -> judge.RecoveryLook:
        return judge.RecoveryLook(recovery=judge.Recovery.YES, detail="it is back")

    patch.setattr(verify, "_recovery", at_once)


def _wait_for_notices(patch: pytest.MonkeyPatch) -> None:
    real = sending.send

    async def after_them(context: Context, memory: Memory, go: Go, write: Write, tally: Tally) -> Next | float | None:
        for _ in range(80):
            if not context.outbox.pending():
                break
            await asyncio.sleep(0.1)
        return await real(context, memory, go, write, tally)

    patch.setattr(executor, "send", after_them)


NOTICE_VARIANTS = (
    Variant(
        name="notices: who took one is not kept",
        breaks=("reasons for a repeat",),
        story="bad",
        wiring=Wiring(records=UntakenRecords),
        outlets=_down(PAGERDUTY, Down.SILENT),
    ),
    Variant(
        name="notices: no other way than the first",
        breaks=("a way of it was never tried to its end",),
        story="bad",
        patch=_know_no_other_way,
        outlets=replace(_down(PAGERDUTY, Down.REFUSING), names=(PAGERDUTY, PAGERDUTY_EVENTS, EMAIL)),
    ),
    Variant(
        name="notices: another way at the first failure",
        breaks=("before another way had failed",),
        story="bad",
        patch=_try_once,
        outlets=_down(PAGERDUTY, Down.SILENT),
    ),
    Variant(
        name="notices: an incident of its own for each",
        breaks=("has two incidents",),
        story="bad",
        patch=_key_by_notice,
        outlets=ALL_UP,
    ),
    Variant(
        name="notices: an incident is resolved before recovery",
        breaks=("not recovered",),
        story="bad",
        patch=_recover_at_once,
        outlets=ALL_UP,
    ),
    Variant(
        name="notices: a rollback waits until they are sent",
        breaks=("for a channel?",),
        story="bad",
        patch=_wait_for_notices,
        outlets=_down(SLACK_DEPLOYMENTS, Down.SILENT),
    ),
)

"""Tells others where nobody has acknowledged a page in time, also of a rollout that is over by then; and what was kept
back of something that comes and goes."""

from __future__ import annotations

from functools import partial

from rollguard.lifecycle import response
from rollguard.loop import telling
from rollguard.loop.context import Context
from rollguard.loop.leader import LeadershipLost
from rollguard.loop.store import Unavailable, Vanished
from rollguard.loop.transitions import note
from rollguard.model.records import RolloutRecord, UnitRecord
from rollguard.model.time import Instant


async def remind(context: Context) -> None:
    """One look at every rollout that is known; again at the policy's interval while nobody answers."""
    now = context.now()
    for record in context.store.rollouts:
        unit = context.store.unit(record.unit)
        if unit is None or _reminded(context, unit, now, record) == record:
            continue
        try:
            await note(context, record, partial(_reminded, context, unit, now))
        except (Unavailable, Vanished, LeadershipLost) as error:
            context.log("reminder-not-written", {"rollout": record.id, "detail": str(error)})


def _reminded(context: Context, unit: UnitRecord, now: Instant, record: RolloutRecord) -> RolloutRecord:
    policy = context.policies.of(record)
    record = telling.with_over_told(record, unit=unit, policy=policy, now=now)
    tell = response.escalation(record, policy.timing.respond_within, now)
    return record if tell is None else telling.told(record, tell, unit=unit, policy=policy, now=now)

"""Tells at the end of quiet hours in one message what they kept back: one for all, and one for each team.

The message is written before what it tells is marked as told: a crash between the two tells it again, and loses none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from rollguard.loop import everything, telling, timeline
from rollguard.loop.context import Context
from rollguard.loop.leader import LeadershipLost
from rollguard.loop.store import Unavailable, Vanished
from rollguard.model.names import UnitName
from rollguard.model.notices import Notice, NoticeState
from rollguard.model.records import RolloutRecord, UnitRecord
from rollguard.notify.quiet import kept_until, together
from rollguard.record import thinned


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A notice that waited, and where it stands."""

    notice: Notice
    unit: UnitName
    rollout: RolloutRecord | None


async def tell(context: Context) -> None:
    """One look at all that waits."""
    waited: defaultdict[str, list[_Kept]] = defaultdict(list)
    for each in _over(context):
        waited[each.notice.team].append(each)
    for _team, kept in sorted(waited.items()):
        try:
            await _tell(context, kept)
        except (Unavailable, Vanished, LeadershipLost) as error:
            context.log("kept-notices-not-told", {"count": len(kept), "detail": str(error)})


def _over(context: Context) -> list[_Kept]:
    """What waited for an hour that has come."""
    store = context.store
    waiting = [_Kept(notice=n, unit=record.unit, rollout=record) for record in store.rollouts for n in record.notices]
    waiting += [_Kept(notice=n, unit=unit.name, rollout=None) for unit in store.units for n in unit.notices]
    found = []
    for each in waiting:
        if each.notice.kept and each.notice.state is NoticeState.PENDING:
            until = kept_until(each.notice, each.rollout, context.policy.quiet)
            found += [each] if until is not None and until <= context.now() else []
    return found


async def _tell(context: Context, kept: list[_Kept]) -> None:
    """A single one goes out as it is, in its rollout's thread."""
    if len(kept) == 1:
        await _mark(context, kept[0], replace(kept[0].notice, kept=False))
        return
    of_all = await everything.create(context)
    policy, now = context.policy, timeline.to_milliseconds(context.now())
    told = together(tuple(each.notice for each in kept), of_all.name, policy, now)

    def with_told(unit: UnitRecord) -> UnitRecord:
        if any(notice.id == told.id for notice in unit.notices):
            return unit
        return replace(unit, notices=thinned((*unit.notices, told), telling.NOTICES))

    await context.store.change_unit(of_all.name, with_told)
    for each in kept:
        # a machine that did not take it at once has not had it
        state = NoticeState.FAILED if each.notice.given_up else NoticeState.ACCEPTED
        detail = "; ".join(part for part in (each.notice.detail, f"told by {told.id}") if part)
        await _mark(context, each, replace(each.notice, kept=False, state=state, detail=detail))


async def _mark(context: Context, kept: _Kept, notice: Notice) -> None:
    if kept.rollout is not None:
        await context.store.change_rollout(
            kept.rollout.id, lambda record: replace(record, notices=telling.with_notice(record.notices, notice))
        )
    else:
        await context.store.change_unit(
            kept.unit, lambda unit: replace(unit, notices=telling.with_notice(unit.notices, notice))
        )

"""After the plan is done: is the old version back, and did it help?"""

from __future__ import annotations

from dataclasses import replace

from rollguard import judge, undo
from rollguard.loop import telling, timeline
from rollguard.loop.context import Context, Memory
from rollguard.loop.judging import alerts_of
from rollguard.loop.transitions import note, transit, unit_of
from rollguard.model.action import Plan
from rollguard.model.facts import UnitFacts
from rollguard.model.judgement import LIVE_COLOUR, is_alert
from rollguard.model.lifecycle import RecoverySeen, Tell
from rollguard.model.names import TemplateHash, WorkloadName
from rollguard.model.notices import NoticeClass
from rollguard.model.records import Outcome, RolloutRecord, TimelineEntry
from rollguard.model.time import Instant

BACK = "The old version is back in all pods"
STALLED = "stalled"
"""The topic of the page about a rollback that does not come to its end."""
NOT_BACK = "The old version is not available in all pods any more"


async def verify(context: Context, memory: Memory, record: RolloutRecord, facts: UnitFacts) -> None:
    """One look at a restored workload: closes the rollout once the outcome is known or the time is up."""
    plan, since = record.plan, record.verify_since
    if plan is None or since is None:
        why = "the record does not say what was put back, or when"
        await transit(context, record, RecoverySeen(outcome=Outcome.UNCONFIRMED, reason=why))
        return
    now = context.now()
    progress = undo.progress(plan, facts)
    timing = context.policies.of(record).timing
    measured = False
    if isinstance(progress, undo.Restored) or _stays(context, memory, record, plan, facts):
        restored = await _back(context, memory, record, now)
        seen = _recovery(context, memory, record, plan, now)
        short = f"it has been back for {now.since(restored):.0f} s only, {timing.recovery_for:.0f} s are needed"
        late = short if seen is None else seen.detail
    else:
        await _gone_again(context, memory, record, now)
        seen, late, measured = None, f"the old version is not back: {progress.detail}", facts.complete
        if isinstance(progress, undo.Stalled):
            await _stalled(context, record, progress.detail, now)
    time_is_up = now.since(since) >= timing.recovery_within
    outcome = _outcome(seen, measured=measured, time_is_up=time_is_up)
    if outcome is None:
        return
    line = TimelineEntry(at=now, kind="recovery", text=f"{outcome.value.capitalize()}: {late}")
    input_ = RecoverySeen(outcome=outcome, reason=late)
    await transit(context, record, input_, change=lambda r: replace(r, why=late), entries=(line,))


def _stays(context: Context, memory: Memory, record: RolloutRecord, plan: Plan, facts: UnitFacts) -> bool:
    """Whether it was back before and is so still: an autoscaler that adds pods does not begin the time anew."""
    since = memory.restored or _back_since(record)
    return since is not None and undo.still_restored(plan, facts, context.at_server(since))


async def _back(context: Context, memory: Memory, record: RolloutRecord, now: Instant) -> Instant:
    """Remembers since when it is back, also over a change of leaders; that moment."""
    if memory.restored is None:
        restored = _back_since(record) or now
        line = TimelineEntry(at=restored, kind="recovery", text=BACK)
        await note(context, record, lambda r: timeline.with_entries(r, (line,)))
        memory.restored = restored  # after the note: one that could not be written is written at the next look
    return memory.restored


def _back_since(record: RolloutRecord) -> Instant | None:
    """When the story last said that it is back, unless it has said since that it is not."""
    last = next((e for e in reversed(record.timeline) if e.kind == "recovery"), None)
    return last.at if last is not None and last.text == BACK else None


async def _gone_again(context: Context, memory: Memory, record: RolloutRecord, now: Instant) -> None:
    """A restored pod that is not available begins the time of recovery anew, also for the next leader."""
    memory.restored = None
    if _back_since(record) is not None:
        line = TimelineEntry(at=now, kind="recovery", text=NOT_BACK)
        await note(context, record, lambda r: timeline.with_entries(r, (line,)))


def _recovery(
    context: Context, memory: Memory, record: RolloutRecord, plan: Plan, now: Instant
) -> judge.RecoveryLook | None:
    """How the restored pods fare; None while they have not been back for long enough to say."""
    policy = context.policies.of(record)
    timing = policy.timing
    if memory.restored is None or now.since(memory.restored) < timing.recovery_for:
        return None
    breached = {finding.signal for finding in record.findings} - {LIVE_COLOUR}
    gone = sorted({each for each in breached if not is_alert(each)} - {signal.name for signal in policy.signals})
    if gone:
        detail = f"{', '.join(gone)}: the signal is no longer in the policy"
        return judge.RecoveryLook(recovery=judge.Recovery.NO_TRAFFIC, detail=detail)
    answers, since = context.asking.under(policy).since(memory.restored), memory.restored
    told = _of_alerts(context, record, breached, memory.restored)
    return judge.of_all(
        told
        | {
            member: judge.recovered(
                answers,
                tuple(signal for signal in policy.signals if signal.name in of_member),
                workload,
                revision,
                since=since,
                seconds=timing.recovery_for,
            )
            for member, workload, revision, of_member in _restored(record, plan)
        }
    )


def _of_alerts(
    context: Context, record: RolloutRecord, breached: set[str], restored: Instant
) -> dict[str, judge.RecoveryLook]:
    """What has come of the alerts that made the release bad; nothing where none did."""
    of_alerts = sorted(filter(is_alert, breached))
    if not of_alerts:
        return {}
    unit = unit_of(context, record.unit)
    workloads = [passage.new.workload for passage in record.passages] or [record.workload]
    alerts = tuple(alert for workload in workloads for alert in alerts_of(unit, workload))
    return {"alerts": judge.alerts_over(tuple(of_alerts), alerts, since=restored)}


def _restored(record: RolloutRecord, plan: Plan) -> tuple[tuple[str, WorkloadName, TemplateHash, frozenset[str]], ...]:
    """(member, workload, revision, breached signals) of what was put back; one, without a member, in place.

    Of a release set the members that breached something, or all that went back where none of these did.
    """
    breached = {(finding.member, finding.signal) for finding in record.findings}
    if not record.passages:
        return (("", record.workload, plan.target.hash, frozenset(signal for _member, signal in breached)),)
    moved = {step.member for step in plan.steps}
    bad = {member for member, _signal in breached} & moved
    return tuple(
        (p.member, p.old.workload, p.old.hash, frozenset(signal for member, signal in breached if member == p.member))
        for p in record.passages
        if p.member in (bad or moved)
    )


def _outcome(seen: judge.RecoveryLook | None, *, measured: bool, time_is_up: bool) -> Outcome | None:
    """Recovered as soon as it is; anything else only once the time is up.

    `measured` says whether it shows to be no help where there is no look at how the restored pods fare.
    """
    if seen is not None and seen.recovery is judge.Recovery.YES:
        return Outcome.RECOVERED
    if not time_is_up:
        return None
    unsure = not measured if seen is None else seen.recovery is judge.Recovery.NO_TRAFFIC
    return Outcome.UNCONFIRMED if unsure else Outcome.DID_NOT_HELP


async def _stalled(context: Context, record: RolloutRecord, detail: str, now: Instant) -> None:
    """An incident of its own, never a reason to write again."""
    unit = unit_of(context, record.unit)
    tell = Tell(class_=NoticeClass.PAGE, topic=STALLED, reason=f"the rollback is stalled: {detail}")
    await note(context, record, lambda r: telling.told(r, tell, unit=unit, policy=context.policies.of(r), now=now))

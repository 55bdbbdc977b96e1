"""Feeds the judge what it has not seen yet: once for a workload, for each member that changed of a release set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rollguard import judge, observe
from rollguard.decide import Judged
from rollguard.loop import kept, surroundings
from rollguard.loop.context import Context, Memory
from rollguard.loop.workers import Priority
from rollguard.model.alerting import ReceivedAlert
from rollguard.model.facts import UnitFacts
from rollguard.model.judgement import Finding, Rollout, Verdict, VerdictKind
from rollguard.model.metrics import Answer
from rollguard.model.names import UnitName, WorkloadName
from rollguard.model.policy import Policy, Watch
from rollguard.model.records import Passage, RolloutRecord, UnitRecord
from rollguard.model.time import Instant

ALONE = ""
"""The key of the judge's state of a unit that is no release set."""
AGAIN = 1.0
"""Seconds until a colour that may be deserted is looked at again."""


def judged(context: Context, memory: Memory, record: RolloutRecord, facts: UnitFacts) -> Verdict:
    """The judge's verdict on what it has not seen yet; its state is kept in memory."""
    _begin(memory, record)
    policy = context.policies.of(record)
    asked = context.asking.under(policy)
    answers = asked.since(memory.fed)
    # the last slots before the start close only after it: the time before is handed on until all of it is there
    early = memory.fed is None or memory.fed < record.started
    before = asked.until(record.started) if early and asked.last != memory.fed else ()
    watch = surroundings.watch_under(context, memory, policy, facts)
    fed = _Fed(context=context, memory=memory, policy=policy, watch=watch, answers=answers, before=before)
    if not record.passages:
        verdict = fed.verdict(ALONE, record, facts, ())
    else:
        # who joined since the last look has seen nothing of the time before
        anew = replace(fed, answers=asked.since(None), before=asked.until(record.started))
        of_each = [(each, fed if each.member in memory.judges else anew) for each in record.passages]
        memory.members = tuple(
            Judged(passage=each, verdict=judge.of_member(each.member, _of_member(own, record, each, facts)))
            for each, own in of_each
        )
        verdict = judge.of_set(tuple(each.verdict for each in memory.members))
    memory.fed = asked.last
    memory.verdict = verdict
    return verdict


def _begin(memory: Memory, record: RolloutRecord) -> None:
    """Forgets what was known of an earlier rollout."""
    if memory.judged == record.id:
        return
    memory.judged, memory.judges, memory.deserted = record.id, {}, {}
    memory.fed, memory.restored = None, None
    memory.verdict, memory.decision, memory.deciding = None, None, None
    memory.unclear = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fed:
    """What all members of a unit are judged by at one look."""

    context: Context
    memory: Memory
    policy: Policy
    watch: Watch
    answers: tuple[Answer, ...]
    before: tuple[Answer, ...]

    def verdict(
        self, key: str, record: RolloutRecord, facts: UnitFacts, units: tuple[UnitName, ...], *, idle: bool = False
    ) -> Verdict:
        """The verdict on one workload, whose rollout the record is; `idle`: nobody asks what served before it."""
        context, memory = self.context, self.memory
        unit = context.store.unit(record.unit)
        rollout = Rollout(
            id=record.id,
            unit=record.unit,
            started=record.started,
            target=record.target,
            target_number=record.target_number,
            baseline=record.baseline,
            charged=unit.charged_migrations if unit is not None else (),
        )
        seen = observe.observation(
            context.now(),
            rollout,
            facts,
            answers=self.answers,
            before=self.before,
            store=self.policy.metrics,
            units=units,
            idle=idle,
            alerts=alerts_of(unit, record.workload),
            muted=_muted(record, context.now()),
        )
        state = memory.judges.get(key) or judge.JudgeState(event_reached=_was_bad(record))
        memory.judges[key], verdict = judge.judge(state, seen, self.policy, self.watch)
        return verdict


def alerts_of(unit: UnitRecord | None, workload: WorkloadName) -> tuple[ReceivedAlert, ...]:
    """What Alertmanager told of the Deployment, as its unit's record keeps it."""
    return tuple(alert for alert in (unit.alerts if unit is not None else ()) if alert.deployment == workload.name)


def _muted(record: RolloutRecord, now: Instant) -> Instant | None:
    """Since when its incident is open, None while none is; a record that does not say counts as opened now."""
    if not record.incident or record.incident_resolved is not None:
        return None
    return record.incident_opened or now


def _of_member(fed: _Fed, record: RolloutRecord, passage: Passage, facts: UnitFacts) -> Verdict:
    """The verdict on one member, by its own signals where it names any."""
    release_set = fed.watch.release_set
    member = next((m for m in release_set.members if m.name == passage.member), None) if release_set else None
    narrowed = replace(fed, watch=fed.watch.of_member(member)) if member is not None else fed
    units = tuple(sorted(UnitName.of_workload(side.workload) for side in (passage.old, passage.new)))
    alone = observe.member_record(record, passage)
    seen = observe.member_facts(facts, passage)
    verdict = narrowed.verdict(passage.member, alone, seen, units, idle=bool(passage.service))
    found = _deserted(fed, record, passage, facts)
    return judge.with_finding(verdict, found) if found is not None else verdict


def _deserted(fed: _Fed, record: RolloutRecord, passage: Passage, facts: UnitFacts) -> Finding | None:
    """What is found of a live colour whose Deployment is gone, once nobody has served for a while.

    Facts with holes neither begin it nor end it.
    """
    release_set, since, now = fed.watch.release_set, fed.memory.deserted, fed.context.now()
    if release_set is not None and facts.complete and observe.deserted(release_set, passage, facts):
        since.setdefault(passage.member, now)
    elif facts.complete:
        since.pop(passage.member, None)
    if passage.member not in since:
        return None
    old_ready = len(observe.ready_pods(facts, passage.old.workload))
    found = judge.live_colour(passage, since[passage.member], now, old_ready=old_ready)
    if found is None:
        fed.context.workers.later(AGAIN, Priority.WAKE, record.unit)
    return found


def _was_bad(record: RolloutRecord) -> bool:
    """Whether the record tells of a level or an event rule that was reached: its like is not called healthy any more,
    also by a leader who has not seen it."""
    told = tuple(f"{kind.value.capitalize()}: " for kind in (VerdictKind.BAD, VerdictKind.DEGRADED))
    verdicts = (entry.text for entry in record.timeline if entry.kind == "verdict")
    return bool(record.incident or record.findings) or any(text.startswith(told) for text in verdicts)


def ending(memory: Memory) -> Callable[[RolloutRecord], RolloutRecord]:
    """Keeps the last look at which something was decided: of an undo, the one that led to it."""
    decision = memory.decision
    return lambda present: kept.at_the_end(present, decision) if memory.judged == present.id else present

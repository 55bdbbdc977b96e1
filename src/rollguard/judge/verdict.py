"""Observation -> Verdict. Only complete evidence makes a release bad or healthy; a gap makes neither."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rollguard.judge.events import (
    alerts_told,
    crash_loop,
    exits_seen,
    image_pull,
    migration_failed,
    nodes_seen,
    old_pods,
    progress_deadline,
    pulls_seen,
)
from rollguard.judge.kinds import KINDS
from rollguard.judge.levels import BLIND_AFTER, RANK, look
from rollguard.judge.memory import JudgeState, SignalLook, SignalMemory
from rollguard.judge.proof import served_since
from rollguard.judge.words import NOTHING_REACHED
from rollguard.model.judgement import Finding, Observation, SignalGap, Verdict, VerdictKind
from rollguard.model.policy import Policy, Timing, Watch
from rollguard.model.signals import EventRule, LevelName, Signal, SignalKind
from rollguard.observe.slots import number_ending_at_or_before, number_starting_at_or_after

COMPLETE_AT_LEAST = 0.95
"""Share of the automatic part's slots in which a required signal must be complete for `healthy`."""

WATCHED_TICKS = 2.0
"""Between looks that are further apart an old pod may restart and go unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What decides the verdict."""

    findings: tuple[Finding, ...]
    gaps: tuple[SignalGap, ...]
    missing: str
    """What is missing for `healthy`, empty where nothing is."""


def signals_of(policy: Policy, watch: Watch) -> tuple[Signal, ...]:
    """The policy's signals that apply to the watch."""
    return tuple(signal for signal in policy.signals if watch.uses(signal.name))


def judge(state: JudgeState, observation: Observation, policy: Policy, watch: Watch) -> tuple[JudgeState, Verdict]:
    """The verdict on the rollout as of the observation, and what to remember for the next.

    Each slot counts once, whatever the order of the answers; repeating an observation changes nothing.
    """
    timing = policy.timing
    signals = signals_of(policy, watch)
    looks = tuple(
        look(state.of(signal.name), signal, observation, timing)
        for signal in signals
        if signal.kind is not SignalKind.EVENT
    )
    told = alerts_told(observation, policy)
    state, events = _events(state, signals, observation, policy, found=told.findings)
    proven = served_since(state.proven, looks) if policy.migration is not None else None
    state = replace(state, looks=looks, proven=proven)
    findings = sorted(
        (*events, *(finding for seen in looks for finding in seen.findings)),
        key=lambda finding: -RANK[finding.level],
    )
    seen = _Look(
        findings=tuple(findings),
        gaps=tuple(entry.gap for entry in looks if entry.gap is not None),
        missing=_missing(state, looks, observation, timing),
    )
    kind, why = _conclusion(seen)
    return state, Verdict(
        kind=kind,
        as_of=observation.now,
        findings=seen.findings,
        gaps=seen.gaps,
        readings=(*(reading for entry in looks for reading in entry.readings), *told.readings),
        why=why,
        proven=proven,
    )


def _conclusion(seen: _Look) -> tuple[VerdictKind, str]:
    worst = seen.findings[0] if seen.findings else None
    if worst is not None and worst.level is LevelName.ROLLBACK:
        return VerdictKind.BAD, worst.text
    blind = next((gap for gap in seen.gaps if gap.required and gap.in_a_row >= BLIND_AFTER), None)
    if blind is not None:
        about = f"{blind.signal}: no complete answer in the last {blind.in_a_row} slots ({blind.cause}"
        return VerdictKind.BLIND, f"{about}: {blind.detail})" if blind.detail else f"{about})"
    if worst is not None:
        return VerdictKind.DEGRADED, worst.text
    if seen.missing:
        return VerdictKind.UNDECIDED, seen.missing
    return VerdictKind.HEALTHY, NOTHING_REACHED


def _events(
    state: JudgeState,
    signals: tuple[Signal, ...],
    observation: Observation,
    policy: Policy,
    *,
    found: tuple[Finding, ...],
) -> tuple[JudgeState, tuple[Finding, ...]]:
    """What the rules come to, beside what is `found` already."""
    # not `now`: a process that was stopped in between comes with facts from before
    at = observation.facts.as_of.seconds
    patience = WATCHED_TICKS * policy.timing.tick
    watched = state.looked is not None and at - state.looked <= patience
    beside = frozenset(pod.node for pod in old_pods(observation))
    exits = exits_seen(
        state.exits, observation, watched_from=at - patience if watched else math.inf, deserted=state.beside - beside
    )
    pulls, nodes = pulls_seen(state.pulls, observation), nodes_seen(state.nodes, observation)
    findings = list(found)
    for signal in signals:
        level = max((rule.name for rule in signal.levels), key=lambda name: RANK[name], default=LevelName.ROLLBACK)
        if signal.rule is EventRule.CRASH_LOOP:
            findings += crash_loop(signal.name, level, exits, nodes, observation)
        elif signal.rule is EventRule.IMAGE_PULL:
            findings += image_pull(signal.name, level, pulls, observation)
        elif signal.rule is EventRule.PROGRESS_DEADLINE:
            findings += progress_deadline(signal.name, level, observation)
        elif signal.rule is EventRule.MIGRATION_FAILED and policy.migration is not None:
            findings += migration_failed(signal.name, level, observation)
    automatic = observation.now <= observation.rollout.started.plus(policy.timing.automatic)
    reached = state.event_reached or (automatic and bool(findings))
    state = replace(state, exits=exits, pulls=pulls, nodes=nodes, beside=beside, looked=at, event_reached=reached)
    return state, tuple(findings)


def _missing(state: JudgeState, looks: tuple[SignalLook, ...], observation: Observation, timing: Timing) -> str:
    """Why the release is not called healthy (yet), in words; empty where it is."""
    end = observation.rollout.started.plus(timing.automatic)
    if observation.now < end:
        # The moment, not how long until then: the text is kept.
        return f"nothing is reached; the automatic part lasts until {end.iso_second()}"
    if state.event_reached or any(seen.memory.reached for seen in looks):
        return "a level or an event rule was reached in the automatic part"
    required = [seen for seen in looks if seen.signal.required]
    if not required:
        return "the policy requires no signal for this workload, so nothing shows it to be healthy"
    members = observation.facts.members
    unfinished = members[0].unfinished() if members else "the workload is not seen"
    if unfinished:
        # One ready pod that fares well says nothing of those that never came.
        return f"the rollout is not complete: {unfinished}"
    for seen in required:
        short = _short(seen.memory, seen.signal, observation, timing)
        if short:
            return f"{seen.signal.name}: {short}"
    return ""


def _short(memory: SignalMemory, signal: Signal, observation: Observation, timing: Timing) -> str:
    """What a required signal lacks over the automatic part.

    Slots before the first ready pod are left out, but for no longer than the phase `startup`.
    """
    started = observation.rollout.started
    last = number_ending_at_or_before(started.plus(timing.automatic), memory.seconds)
    if memory.first is None:
        return "never answered for the new pods"
    if not memory.ring or memory.ring[-1].number < last:
        return "the last slots of the automatic part are not answered yet"
    begun = min(memory.first, number_starting_at_or_after(started.plus(timing.startup), memory.seconds))
    every = last - begun + 1
    if every < 1 or memory.complete < COMPLETE_AT_LEAST * every:
        return f"complete in {memory.complete} of {max(every, 0)} slots, {COMPLETE_AT_LEAST:.0%} are needed"
    least = max(1, signal.minimum_traffic)
    if KINDS[signal.kind].requests and memory.requests < least:
        return f"{memory.requests:,.0f} requests seen, {least} are needed"
    return ""

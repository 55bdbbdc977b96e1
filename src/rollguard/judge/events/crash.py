"""Crash loop: a container of the new revision that ended twice or more with a code other than 0."""

from __future__ import annotations

import math

from rollguard.judge.memory import Exits
from rollguard.judge.reference import BESIDE, NO_REFERENCE
from rollguard.model.facts import Container, Pod
from rollguard.model.judgement import Attribution, Finding, Observation, Reference
from rollguard.model.policy import LevelName
from rollguard.model.time import Instant

ENOUGH_EXITS = 2
_BACK_OFF = "CrashLoopBackOff"


def exits_seen(known: tuple[Exits, ...], observation: Observation) -> tuple[Exits, ...]:
    """How the new pods' containers ended so far, with what this look adds; pods that are gone are forgotten."""
    before = {(exits.pod_uid, exits.container): exits for exits in known}
    return tuple(
        _with(before.get((pod.uid, container.name)), pod, container)
        for pod in new_pods(observation)
        for container in _judged(pod)
    )


def _with(known: Exits | None, pod: Pod, container: Container) -> Exits:
    exits = known or Exits(pod_uid=pod.uid, container=container.name, nonzero=0, zero=0, last=0.0)
    ended = container.finished_at.seconds if container.finished_at is not None else 0.0
    if container.exit_code is None or ended <= exits.last:
        return exits
    failed = container.exit_code != 0
    return Exits(
        pod_uid=exits.pod_uid,
        container=exits.container,
        nonzero=exits.nonzero + failed,
        zero=exits.zero + (not failed),
        last=ended,
    )


def crash_loop(
    signal: str, level: LevelName, exits: tuple[Exits, ...], observation: Observation
) -> tuple[Finding, ...]:
    """One finding for the unit, or none. Where old pods restart on every node that it crashes on, it is the node."""
    seen = {(e.pod_uid, e.container): e for e in exits}
    crashing = [
        (pod, container, count)
        for pod in new_pods(observation)
        for container in _judged(pod)
        if (count := _count(container, seen.get((pod.uid, container.name)))) >= ENOUGH_EXITS
    ]
    if not crashing:
        return ()
    alone = [entry for entry in crashing if not _old_ones_restart(entry[0].node, observation)]
    pod, container, count = max(alone or crashing, key=lambda entry: entry[2])
    nodes = sorted({entry[0].node for entry in alone or crashing})
    old = [p for p in _old_pods(observation) if p.node in nodes]
    text = (
        f"{signal}: container {container.name} of the new pod {pod.name} ended {count} times with an error "
        f"(last exit code {container.exit_code}) on node {pod.node}, bound {ENOUGH_EXITS}; "
    )
    text += _beside(old, by_node=not alone)
    ended = container.finished_at
    return (
        Finding(
            signal=signal,
            level=level,
            value=float(count),
            bound=float(ENOUGH_EXITS),
            unit="restarts",
            text=text,
            since=ended if ended is not None else observation.now,
            slots=0,
            bad=float(len(crashing)),
            total=float(len(new_pods(observation))),
            arm="new pods",
            reference=_reference(old, observation, by_node=not alone),
            attribution=Attribution.RELEASE if alone else Attribution.NODE,
        ),
    )


def _beside(old: list[Pod], *, by_node: bool) -> str:
    if by_node:
        return "old pods on its node restart too"
    return "old pods on its node do not restart" if old else "no old pod runs on its node"


def _reference(old: list[Pod], observation: Observation, *, by_node: bool) -> Reference:
    if not old:
        return NO_REFERENCE
    restarting = sum(1 for pod in old if _restarted(pod, observation.rollout.started))
    return Reference(
        source=BESIDE,
        value=float(restarting),
        bad=float(restarting),
        total=float(len(old)),
        past_bound=by_node,
        not_worse=by_node,
    )


def _count(container: Container, seen: Exits | None) -> int:
    """Ends with an error: those seen, or what the restarts tell of the time before it was looked at."""
    if seen is None or not container.exit_code:
        return seen.nonzero if seen else 0
    ended_now = container.waiting_reason == _BACK_OFF
    return max(seen.nonzero, container.restarts + ended_now - seen.zero)


def new_pods(observation: Observation) -> tuple[Pod, ...]:
    """Pods of the new revision that are not being deleted."""
    return tuple(p for p in observation.facts.pods if p.revision == observation.arms.new and not p.deleting)


def _judged(pod: Pod) -> list[Container]:
    """Of the template, and no init container: those wait for dependencies by failing."""
    return [container for container in pod.containers if container.in_template and not container.init]


def _old_pods(observation: Observation) -> list[Pod]:
    return [p for p in observation.facts.pods if p.revision not in {None, observation.arms.new} and not p.deleting]


def _old_ones_restart(node: str, observation: Observation) -> bool:
    started = observation.rollout.started
    return any(pod.node == node and _restarted(pod, started) for pod in _old_pods(observation))


def _restarted(pod: Pod, since: Instant) -> bool:
    # the cluster writes whole seconds, cut off: what ended just after `since` may bear a time just before it
    second = math.floor(since.seconds)
    return any(c.in_template and c.finished_at is not None and c.finished_at.seconds >= second for c in pod.containers)

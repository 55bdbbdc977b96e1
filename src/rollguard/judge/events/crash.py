"""Crash loop: a container of the new revision that ended twice or more with a code other than 0."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rollguard.judge.memory import Exits
from rollguard.judge.reference import BESIDE, NO_REFERENCE
from rollguard.model.facts import Container, Pod
from rollguard.model.judgement import Attribution, Finding, Observation, Reference
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant

ENOUGH_EXITS = 2
_BACK_OFF = "CrashLoopBackOff"


def exits_seen(
    known: tuple[Exits, ...], observation: Observation, *, watched_from: float, deserted: frozenset[str]
) -> tuple[Exits, ...]:
    """How the new pods' containers ended so far, with what this look adds; pods that are gone are forgotten.

    What ended before `watched_from` (seconds) and is seen only now ended while nobody looked: a watch that was stalled
    shows old facts as new ones, and what stood beside them then is not known. The same holds on the nodes `deserted`,
    which the last old pod left since the look before: it may have restarted too, unseen.
    """
    before = {(exits.pod_uid, exits.container): exits for exits in known}
    return tuple(
        _counted(
            before.get((pod.uid, container.name)) or _none(pod, container),
            container,
            watched_from=math.inf if pod.node in deserted else watched_from,
        )
        for pod in new_pods(observation)
        for container in _judged(pod)
    )


def _none(pod: Pod, container: Container) -> Exits:
    return Exits(pod_uid=pod.uid, container=container.name, nonzero=0, zero=0, last=0.0)


def _counted(known: Exits, container: Container, *, watched_from: float) -> Exits:
    exits = _with(known, container)
    count = _count(container, exits)
    # a second more: the cluster writes whole ones, cut off
    new = 0 if exits.last >= watched_from - 1.0 else max(0, count - exits.counted)
    if not new and count == exits.counted:
        return exits
    return replace(exits, counted=count, unwatched=exits.unwatched + new)


def _with(exits: Exits, container: Container) -> Exits:
    ended = container.finished_at.seconds if container.finished_at is not None else 0.0
    if container.exit_code is None or ended <= exits.last:
        return exits
    failed = container.exit_code != 0
    return replace(exits, nonzero=exits.nonzero + failed, zero=exits.zero + (not failed), last=ended)


def nodes_seen(known: frozenset[str], observation: Observation) -> frozenset[str]:
    """The nodes on which old pods have restarted since the rollout began, also when those pods are gone by now."""
    started = observation.rollout.started
    return known | {pod.node for pod in old_pods(observation) if _restarted(pod, started)}


@dataclass(frozen=True, slots=True)
class _Crashing:
    pod: Pod
    container: Container
    count: int
    excuse: str
    """Why it may be the node and not the release; empty where it is the release."""


def crash_loop(
    signal: str, level: LevelName, exits: tuple[Exits, ...], nodes: frozenset[str], observation: Observation
) -> tuple[Finding, ...]:
    """One finding for the unit, or none. Where every crash has an excuse, it is charged to the node.

    `nodes` are those on which old pods have restarted since the rollout began.
    """
    seen = {(e.pod_uid, e.container): e for e in exits}
    crashing = [
        _Crashing(pod, container, entry.counted, _excuse(pod, entry, nodes, observation))
        for pod in new_pods(observation)
        for container in _judged(pod)
        if (entry := seen.get((pod.uid, container.name))) is not None and entry.counted >= ENOUGH_EXITS
    ]
    if not crashing:
        return ()
    alone = [entry for entry in crashing if not entry.excuse]
    worst = max(alone or crashing, key=lambda entry: entry.count)
    on = {entry.pod.node for entry in alone or crashing}
    old = [pod for pod in old_pods(observation) if pod.node in on]
    pod, container = worst.pod, worst.container
    text = (
        f"{signal}: container {container.name} of the new pod {pod.name} ended {worst.count} times with an error "
        f"(last exit code {container.exit_code}) on node {pod.node}, bound {ENOUGH_EXITS}; "
    )
    text += worst.excuse or ("old pods on its node do not restart" if old else "no old pod runs on its node")
    ended = container.finished_at
    return (
        Finding(
            signal=signal,
            level=level,
            value=float(worst.count),
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


def _excuse(pod: Pod, seen: Exits, nodes: frozenset[str], observation: Observation) -> str:
    if pod.node in nodes:
        return "old pods on its node restart too"
    old_nodes = {old.node for old in old_pods(observation)}
    if pod.node not in old_nodes and old_nodes and old_nodes <= nodes:
        return "no old pod runs on its node, and on every other node old pods restart too"
    if pod.node in old_nodes or not seen.unwatched or seen.counted - seen.unwatched >= ENOUGH_EXITS:
        return ""
    return f"{seen.unwatched} of them while nobody looked or the last old pod left its node: nothing to compare with"


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


def _count(container: Container, seen: Exits) -> int:
    """Ends with an error: those seen, or what the restarts tell of the time before it was looked at."""
    if not container.exit_code:
        return seen.nonzero
    ended_now = container.waiting_reason == _BACK_OFF
    return max(seen.nonzero, container.restarts + ended_now - seen.zero)


def new_pods(observation: Observation) -> tuple[Pod, ...]:
    """Pods of the new revision that are not being deleted."""
    return tuple(p for p in observation.facts.pods if p.revision == observation.arms.new and not p.deleting)


def _judged(pod: Pod) -> list[Container]:
    """Of the template, native sidecars included; no other init container: those wait for dependencies by failing."""
    return [c for c in pod.containers if c.in_template and (c.sidecar or not c.init)]


def old_pods(observation: Observation) -> list[Pod]:
    """Pods of other revisions that are not being deleted."""
    return [p for p in observation.facts.pods if p.revision not in {None, observation.arms.new} and not p.deleting]


def _restarted(pod: Pod, since: Instant) -> bool:
    # the cluster writes whole seconds, cut off: what ended just after `since` may bear a time just before it
    second = math.floor(since.seconds)
    return any(c.in_template and c.finished_at is not None and c.finished_at.seconds >= second for c in pod.containers)

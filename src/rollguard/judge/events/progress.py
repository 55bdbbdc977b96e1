"""Progress deadline: the new revision's pods run and do not become ready in time, while the old ones are ready."""

from __future__ import annotations

import math

from rollguard.judge.events.crash import new_pods, old_pods
from rollguard.judge.reference import BESIDE, NO_REFERENCE
from rollguard.model.facts import Condition, Container, Pod, Workload
from rollguard.model.judgement import Attribution, Finding, Observation, Reference
from rollguard.model.signals import LevelName

EXCEEDED = "ProgressDeadlineExceeded"
_CANNOT_MOUNT = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_SHOWN = 300
"""Characters of a server's message."""


def progress_deadline(signal: str, level: LevelName, observation: Observation) -> tuple[Finding, ...]:
    """One finding for the unit, or none. It is the release's where nothing but its pods keeps it from being ready."""
    workload = next(iter(observation.facts.members), None)
    exceeded = _exceeded(workload, observation) if workload is not None else None
    if workload is None or exceeded is None:
        return ()
    new, old = new_pods(observation), old_pods(observation)
    unready = [pod for pod in new if not pod.ready]
    beside = [pod for pod in old if pod.ready]
    obstacle = _obstacle(workload, unready, observation)
    if not obstacle and not beside:
        obstacle = "no old pod is ready beside them, so it may not be the release"
    text = f"{signal}: {len(unready)} of {len(new)} new pods are not ready within the progress deadline, bound 0"
    text += f"; {obstacle or _blame(unready[0], len(beside), observation)}"
    return (
        Finding(
            signal=signal,
            level=level,
            value=float(len(unready)),
            bound=0.0,
            unit="pods",
            text=text,
            since=exceeded.since or observation.now,
            slots=0,
            bad=float(len(unready)),
            total=float(len(new)),
            arm="new pods",
            reference=_reference(old, beside),
            attribution=Attribution.SURROUNDINGS if obstacle else Attribution.RELEASE,
        ),
    )


def _exceeded(workload: Workload, observation: Observation) -> Condition | None:
    """The condition, where it is of this rollout: the spec has been seen, its target is ours, and it began after it."""
    target = workload.target()
    ours = target is not None and target.hash == observation.arms.new
    if not ours or workload.observed_generation < workload.generation:
        return None
    found = next((c for c in workload.conditions if c.type == "Progressing"), None)
    if found is None or found.status != "False" or found.reason != EXCEEDED or found.since is None:
        return None
    # the cluster writes whole seconds, cut off
    return found if found.since.seconds >= math.floor(observation.rollout.started.seconds) else None


def _obstacle(workload: Workload, unready: list[Pod], observation: Observation) -> str:
    """What keeps the pods from starting, or from counting, that is not their own; empty where it is them alone."""
    refused = next((c for c in workload.conditions if c.type == "ReplicaFailure" and c.status == "True"), None)
    if refused is not None:
        return f"pods are refused ({refused.reason}): {refused.message[:_SHOWN]}"
    if not unready:
        return "every new pod that exists is ready"
    return next((said for pod in unready if (said := _of_pod(pod, observation))), "")


def _of_pod(pod: Pod, observation: Observation) -> str:
    if pod.unschedulable:
        return f"pod {pod.name} finds no node: {pod.unschedulable[:_SHOWN]}"
    if not pod.node:
        return f"pod {pod.name} has no node yet"
    mounts = [e for e in observation.facts.events if e.pod == pod.name and e.reason in _CANNOT_MOUNT]
    main = [c for c in pod.containers if c.in_template and not c.init]
    started = bool(main) and all(_has_started(container) for container in main)
    if mounts and not started:
        return f"pod {pod.name} waits for a volume: {mounts[-1].message[:_SHOWN]}"
    before = next((c for c in pod.containers if c.init and not _has_passed(c)), None)
    if before is not None and not started:
        return f"pod {pod.name} waits for its init container {before.name}: {_state(before)}"
    waiting = next((c for c in main if not _has_started(c)), None)
    if waiting is not None or not main:
        return f"pod {pod.name} has not started: {_state(waiting) if waiting else pod.phase}"
    if all(container.ready for container in main):
        injected = next((c for c in pod.containers if not c.in_template and not c.init and not c.ready), None)
        what = f"container {injected.name}, which was injected, is not ready" if injected else "it is not ready yet"
        return f"the release's containers in pod {pod.name} are ready: {what}"
    return ""


def _has_started(container: Container) -> bool:
    """It runs, or has run: what crashes has started."""
    return container.running or container.ready or container.exit_code is not None


def _has_passed(container: Container) -> bool:
    """An init container that lets the next one start: done, or a sidecar that runs."""
    return container.ready or (container.sidecar and container.running)


def _state(container: Container) -> str:
    """In words that stay the same while it is tried again and again."""
    if container.exit_code:
        return f"it fails with exit code {container.exit_code}"
    if container.waiting_reason:
        return f"{container.waiting_reason} {container.waiting_message[:_SHOWN]}".rstrip()
    return "it still runs" if container.running else "it has not run"


def _blame(pod: Pod, beside: int, observation: Observation) -> str:
    container = next(c for c in pod.containers if c.in_template and not c.init and not c.ready)
    probes = [e for e in observation.facts.events if e.pod == pod.name and e.reason == "Unhealthy"]
    said = f" ({probes[-1].message[:_SHOWN]})" if probes else ""
    return f"container {container.name} of pod {pod.name} runs and is not ready{said}, {beside} old pods are ready"


def _reference(old: list[Pod], beside: list[Pod]) -> Reference:
    if not old:
        return NO_REFERENCE
    unready = float(len(old) - len(beside))
    return Reference(
        source=BESIDE, value=unready, bad=unready, total=float(len(old)), past_bound=not beside, not_worse=not beside
    )

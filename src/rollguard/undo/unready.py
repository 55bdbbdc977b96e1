"""What the pods say that keep a colour from being ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rollguard.model.action import Plan, StepKind
from rollguard.model.facts import Pod, UnitFacts
from rollguard.model.names import Ref

HOPELESS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"}
)
"""Reasons that time alone rarely mends: an image or a Secret is gone."""
MESSAGE = 240
"""Characters of a pod's message that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unready:
    """Why pods of a Deployment are not ready; `hopeless` where waiting longer rarely helps, `refused` where the server
    does not take some at all (a quota, admission)."""

    words: str
    hopeless: bool
    refused: bool = False


def unready(plan: Plan, facts: UnitFacts) -> Mapping[Ref, Unready]:
    """By the Deployment that a step waits for: what its pods say, if anything, and what refuses those that lack."""
    found: dict[Ref, Unready] = {}
    for step in plan.steps:
        if step.kind is not StepKind.SCALE_UP:
            continue
        name = (step.target.namespace, step.target.name)
        pods = [pod for pod in facts.pods if (pod.workload.namespace, pod.workload.name) == name]
        said = [_said(pod, facts) for pod in pods if not (pod.ready or pod.deleting)]
        words = Counter(text for text, _ in said if text)
        told = [f"{text} ({count} pod{'s' if count > 1 else ''})" for text, count in words.items()]
        refused = _refused(step.target, facts)
        if told or refused:
            found[step.target] = Unready(
                words="; ".join([*refused, *told]),
                hopeless=any(hopeless for _, hopeless in said),
                refused=bool(refused),
            )
    return found


def _refused(target: Ref, facts: UnitFacts) -> list[str]:
    """Why the server does not take the Deployment's pods: no pod is there to say it."""
    failures = [
        condition
        for workload in facts.members
        if workload.uid == target.uid
        for condition in workload.conditions
        if condition.type == "ReplicaFailure" and condition.status == "True"
    ]
    return [f"they are refused ({each.reason}): {each.message[:MESSAGE]}" for each in failures]


def _said(pod: Pod, facts: UnitFacts) -> tuple[str, bool]:
    """What the pod says, and whether that is hopeless; nothing while it is only starting."""
    if pod.unschedulable:
        return f"it finds no node: {pod.unschedulable[:MESSAGE]}", False
    for container in pod.containers:
        if container.waiting_reason in {"", "ContainerCreating", "PodInitializing"}:
            continue
        message = _cause(pod, facts) or container.waiting_message
        said = f"{container.name}: {container.waiting_reason}" + (f": {message[:MESSAGE]}" if message else "")
        return said, container.waiting_reason in HOPELESS
    failed = next((c for c in pod.containers if c.exit_code), None)
    return (f"{failed.name} ended with exit code {failed.exit_code}", False) if failed is not None else ("", False)


def _cause(pod: Pod, facts: UnitFacts) -> str:
    """Why an image cannot be pulled stands only in an Event, once the kubelet backs off."""
    pulls = [event for event in facts.events if event.pod == pod.name and event.reason == "Failed"]
    return next((event.message for event in reversed(pulls) if event.message.startswith("Failed to pull")), "")

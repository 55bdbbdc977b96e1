"""A release set against what there is: what would keep it from being guarded, or from going back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollguard.model.facts import Autoscaler
from rollguard.model.policy import ReleaseSet, SetMember
from rollguard.policy.amounts import counted
from rollguard.policy.mistakes import nearest
from rollguard.policy.yaml_text import Path

Labels = tuple[tuple[str, str], ...]
SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSeen:
    """A Deployment: the labels of its pods, and how many it has."""

    name: str
    pod_labels: Labels
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A namespace as far as release sets stand on it."""

    deployments: tuple[DeploymentSeen, ...]
    services: tuple[tuple[str, Labels], ...]
    """(name, selector)."""
    autoscalers: tuple[Autoscaler, ...]
    """Those of its Deployments."""

    def deployment(self, name: str) -> DeploymentSeen | None:
        """The Deployment of that name; None where there is none."""
        return next((each for each in self.deployments if each.name == name), None)

    def live(self, member: SetMember, key: str) -> str:
        """The colour that the member's Service names; empty where there is no such Service, or it names none."""
        return dict(dict(self.services).get(member.service, ())).get(key, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What does not fit. `found` says it as a sentence; `passing` is what may be otherwise tomorrow."""

    path: Path
    """Below `releaseSet`."""
    offending: str
    found: str
    expected: str
    near: str = ""
    passing: bool = False


def faults(release_set: ReleaseSet, ground: Ground) -> tuple[Fault, ...]:
    """All that there is, by member."""
    every = [
        fault for number, member in enumerate(release_set.members) for fault in _member(release_set, number, ground)
    ]
    return (*every, *_half(release_set, ground))


def _member(release_set: ReleaseSet, number: int, ground: Ground) -> Iterator[Fault]:
    member = release_set.members[number]
    for colour, name in member.workloads:
        there = ground.deployment(name)
        path: Path = ("members", number, "workloads", colour)
        if there is None:
            names = [each.name for each in ground.deployments]
            yield Fault(
                path=path,
                offending=name,
                found=f"there is no Deployment {release_set.namespace}/{name}",
                expected=f"a Deployment of the namespace {release_set.namespace} ({listed(names)})",
                near=nearest(name, names),
            )
        else:
            yield from _pods(release_set, member, there, path, ground)
            yield from _capacity(release_set, member, colour, path, ground)
    if member.service:
        yield from _service(release_set, member, ("members", number, "service"), ground)


def _pods(
    release_set: ReleaseSet, member: SetMember, there: DeploymentSeen, path: Path, ground: Ground
) -> Iterator[Fault]:
    """The pods carry their colour, and what else the Service selects by: else nothing stands behind it once it is
    switched."""
    colour = str(path[-1])
    others = dict(ground.services).get(member.service, ())
    wanted = [(release_set.selector_key, colour), *(pair for pair in others if pair[0] != release_set.selector_key)]
    missing = [f"{key}={value}" for key, value in wanted if (key, value) not in there.pod_labels]
    if missing:
        yield Fault(
            path=path,
            offending=there.name,
            found=f"the pods of {there.name} do not carry {','.join(missing)}",
            expected=f"a Deployment whose pods carry {','.join(missing)} ({_text(there.pod_labels)})",
        )


def _capacity(release_set: ReleaseSet, member: SetMember, colour: str, path: Path, ground: Ground) -> Iterator[Fault]:
    """Its autoscaler must let a colour become as large as the other one is, and keep it so while it takes over."""
    name, other = member.workload(colour), member.workload(release_set.other(colour))
    present = ground.deployment(other)
    scaler = next((each for each in ground.autoscalers if each.workload.name == name), None)
    if present is None or scaler is None:
        return
    pods = f"{other} has {counted(present.pods, 'pod')}"
    if scaler.maximum < present.pods:
        yield Fault(
            path=path,
            offending=name,
            found=f"its autoscaler {scaler.name} lets {name} have {counted(scaler.maximum, 'pod')}, and {pods}",
            expected=f"maxReplicas of {present.pods} or more in {scaler.name}: {pods}, and {name} may have "
            f"{scaler.maximum}",
            passing=True,
        )
    elif scaler.owner and scaler.minimum < present.pods:
        yield Fault(
            path=path,
            offending=name,
            found=f"{scaler.owner} would set minReplicas of {scaler.name} back to {scaler.minimum}, and {pods}",
            expected=f"minReplicas of {present.pods} or more in {scaler.owner}: {pods}, and it cannot be raised in "
            f"{scaler.name} for a switch back",
            passing=True,
        )


def _service(release_set: ReleaseSet, member: SetMember, path: Path, ground: Ground) -> Iterator[Fault]:
    services = dict(ground.services)
    selector = services.get(member.service)
    key = release_set.selector_key
    if selector is None:
        yield Fault(
            path=path,
            offending=member.service,
            found=f"there is no Service {release_set.namespace}/{member.service}",
            expected=f"a Service of the namespace {release_set.namespace} ({listed(list(services))})",
            near=nearest(member.service, services),
        )
        return
    chosen = dict(selector).get(key, "")
    if chosen in release_set.colours:
        return
    what = f"{key}={chosen}" if chosen else f"no `{key}`"
    both = " or ".join(f"{key}={colour}" for colour in release_set.colours)
    yield Fault(
        path=path,
        offending=member.service,
        found=f"the selector of {member.service} names {what}",
        expected=f"a Service whose selector names {both} ({_text(selector)})",
        near=nearest(f"{key}={chosen}", [f"{key}={colour}" for colour in release_set.colours]) if chosen else "",
    )


def _half(release_set: ReleaseSet, ground: Ground) -> Iterator[Fault]:
    """Its Services name different colours: somebody is switching, or has stopped in between."""
    live = {
        (number, member.service): colour
        for number, member in enumerate(release_set.members)
        if (colour := ground.live(member, release_set.selector_key)) in release_set.colours
    }
    if len(set(live.values())) > 1:
        (number, service), _first = next(iter(live.items()))
        words = ", ".join(f"{name} names {colour}" for (_number, name), colour in live.items())
        yield Fault(
            path=("members", number, "service"),
            offending=service,
            found=f"it is switched in part: {words}",
            expected=f"the same colour in every Service of the set: {words}",
            passing=True,
        )


def _text(labels: Labels) -> str:
    return ",".join(f"{key}={value}" for key, value in labels) or "there are none"


def listed(words: tuple[str, ...] | list[str]) -> str:
    """The words, at most a dozen of them."""
    if not words:
        return "there are none"
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more

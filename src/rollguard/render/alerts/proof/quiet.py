"""Stories in which no alert may fire: replicas that an autoscaler adds, a healthy rollout, hardly any traffic."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.render.alerts.proof.case import Setting, steps
from rollguard.render.alerts.proof.of_signals import scarce
from rollguard.render.alerts.proof.series import SET, WORKLOAD, Series

_COMPLETE = {"condition": "Progressing", "status": "true", "reason": "NewReplicaSetAvailable"}
_MOVING = {"condition": "Progressing", "status": "true", "reason": "ReplicaSetUpdated"}
NEW_SET = "web-def"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A story, how many intervals it lasts, and whether a rollout is recent at some of them."""

    name: str
    series: tuple[Series, ...]
    length: int
    recent: tuple[tuple[int, float], ...] = ()


def stories(setting: Setting) -> tuple[Quiet, ...]:
    """All of them."""
    return (_scaling(setting), _rollout(setting), _hardly_any_traffic(setting))


def _scaling(setting: Setting) -> Quiet:
    """Three replicas, then ten."""
    cast, before = setting.cast, steps(setting.policy.timing.automatic) + 5
    available = ((3, before), (5, 2), (8, 2), (10, 1))
    series = (
        *cast.owned(),
        *(cast.deployment(name, (3, before), (10, 1)) for name in ("spec_replicas", "status_replicas")),
        cast.deployment("status_replicas_updated", (3, before), (10, 1)),
        cast.deployment("status_replicas_available", *available),
        cast.deployment("status_condition", (1, 1), **_COMPLETE),
        cast.deployment("spec_paused", (0, 1)),
        cast.scraped("kube_replicaset_status_replicas", (3, before), (10, 1), replicaset=SET),
    )
    return Quiet(
        name="an autoscaler adds replicas", series=series, length=before + 40, recent=((before - 1, 0), (before + 3, 0))
    )


def _rollout(setting: Setting) -> Quiet:
    """One pod after the other."""
    cast, within = setting.cast, steps(setting.policy.timing.automatic)
    begin = within + 5
    end = begin + 6
    series = (
        *cast.owned(),
        cast.scraped("kube_replicaset_owner", (1, 1), replicaset=NEW_SET, owner_kind="Deployment", owner_name=WORKLOAD),
        cast.deployment("spec_replicas", (3, 1)),
        cast.deployment("spec_paused", (0, 1)),
        cast.deployment("status_replicas", (3, begin), (4, 6), (3, 1)),
        cast.deployment("status_replicas_updated", (3, begin), (1, 2), (2, 2), (3, 1)),
        cast.deployment("status_replicas_available", (3, 1)),
        cast.deployment("status_condition", (1, begin), (0, 6), (1, 1), **_COMPLETE),
        cast.deployment("status_condition", (0, begin), (1, 6), (0, 1), **_MOVING),
        cast.scraped("kube_replicaset_status_replicas", (3, begin), (2, 2), (1, 2), (0, 1), replicaset=SET),
        cast.scraped("kube_replicaset_status_replicas", (0, begin), (1, 2), (2, 2), (3, 1), replicaset=NEW_SET),
    )
    # A test of rules of a scaled policy has no interval in which it is recent.
    fresh = ((end, 1.0), (begin + within - 1, 1.0)) if within > end - begin else ()
    recent = ((begin - 1, 0.0), *fresh, (end + within + 1, 0.0))
    return Quiet(name="a healthy rollout", series=series, length=begin + within + 10, recent=recent)


def _hardly_any_traffic(setting: Setting) -> Quiet:
    """All requests fail, and one is missing to the minimum."""
    series = {each: each for signal in setting.policy.signals for each in scarce(setting, signal)}
    return Quiet(name="hardly any traffic after a rollout", series=tuple(series), length=40)

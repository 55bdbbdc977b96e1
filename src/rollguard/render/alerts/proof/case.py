"""What a rule test shows of an alert: from which moment its condition holds, and how it then fires."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from rollguard.model.policy import Policy
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.proof.series import Cast, Series

CALM = 5
"""How many intervals everything is well at first."""
INTERVAL = 60
"""Seconds: rules are evaluated, and series have values, so often. A shorter one makes a test of hours slow."""


def steps(seconds: float) -> int:
    """How many intervals cover so many seconds."""
    return ceil(seconds / INTERVAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An alert as it fires."""

    alert: Alert
    labels: dict[str, str]
    """Those of its expression."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A test of one alert."""

    fires: Firing
    series: tuple[Series, ...]
    story: str = ""
    """What is special about it, where an alert has several."""
    begin: int
    """The interval from which on its condition holds."""
    slack: int = 0
    """So many intervals later it may hold only, by the version of Prometheus: those are not looked at."""
    ends: int | None = None
    """The interval from which on it is silent again."""
    others: tuple[tuple[int, Firing], ...] = ()
    """Alerts of the same name that the same series set off, and from which interval on their conditions hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the cases of a policy are made from."""

    policy: Policy
    cast: Cast
    guard: str
    """The guard's own namespace."""

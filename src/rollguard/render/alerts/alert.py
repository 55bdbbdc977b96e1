"""An alert and a recording rule as data: what rule files, their tests, routes and runbooks are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.alerting import Category, Severity
from rollguard.render.places import Place

__all__ = ["Alert", "Category", "Recording", "Severity", "Unit"]


class Unit(StrEnum):
    """What an alert's value counts."""

    SHARE = "share"
    """Of 1."""
    SECONDS = "seconds"
    PER_MINUTE = "per minute"
    NUMBER = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording rule."""

    record: str
    expr: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alerting rule. Several may share a name: they differ in severity, or in a label."""

    name: str
    severity: Severity
    category: Category
    expr: str
    """Yields `namespace`, `deployment` where one can be named, and no label that says how the series were scraped."""
    for_seconds: float
    summary: str
    """Static: what is wrong, in a few words."""
    description: str
    """Templated for Prometheus: which workload, the value and the bound."""
    meaning: str
    """Static, in one or two sentences: what the rule looks at."""
    panel: Place
    """What shows it."""
    labels: tuple[tuple[str, str], ...] = ()
    """Beside `severity` and `category`: `rollguard_action`, `signal`, or a `namespace` where no series has one."""
    deployment: bool = True
    """Whether its labels name a Deployment."""
    value: str = ""
    """PromQL of what is compared with the bound, for looking at it; empty where the rule is about a state."""
    unit: Unit = Unit.NUMBER
    bound: float | None = None
    """In the value's unit; None where the rule is about a state."""
    bound_text: str = ""
    """The same as the policy writes it, with what it is a bound of: `P95 > 2s`."""
    signal: str = ""
    """The policy's signal whose bound it is; empty where it is about none."""
    after_rollout: bool = False
    """It asks for a recent rollout as well."""

    @property
    def labelled(self) -> tuple[tuple[str, str], ...]:
        """The labels that the rule itself adds, sorted."""
        own = (("category", self.category.value), ("severity", self.severity.value))
        return tuple(sorted((*own, *self.labels)))

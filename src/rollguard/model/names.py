"""What things are called."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

TemplateHash = NewType("TemplateHash", str)
"""The value of the label `pod-template-hash`: names a revision of a Deployment."""

RolloutId = NewType("RolloutId", str)
"""Name of a GuardedRollout object: unit, revision number, template hash and the start of the workload's uid."""


class WorkloadKind(StrEnum):
    """The kinds of what can be guarded."""

    DEPLOYMENT = "Deployment"
    RELEASE_SET = "ReleaseSet"
    """Deployments of two colours that go forth and back together: a name of the policy, no object of the cluster."""

    __hash__ = str.__hash__  # as an enumeration's it would be most of a name's, which keys nearly every table


@dataclass(frozen=True, slots=True, order=True)
class WorkloadName:
    """A workload in the cluster."""

    namespace: str
    kind: WorkloadKind
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class UnitName:
    """What is guarded as one: its namespace and `deployment-<name>`, or `releaseset-<name>`."""

    namespace: str
    object_name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.object_name.partition('-')[2] if self.guards else self.object_name}"

    @property
    def guards(self) -> WorkloadKind | None:
        """The kind of what it guards; None for `rollguard-all`, which stands for everything."""
        start = self.object_name.partition("-")[0]
        return next((kind for kind in WorkloadKind if kind.lower() == start), None)

    @staticmethod
    def of_workload(workload: WorkloadName) -> UnitName:
        """The unit that guards this workload, or this release set."""
        return UnitName(workload.namespace, f"{workload.kind.lower()}-{workload.name}")


SERVICE, AUTOSCALER = "Service", "HorizontalPodAutoscaler"
"""Kinds of objects that a release set has beside its Deployments."""


@dataclass(frozen=True, slots=True)
class Ref:
    """An object of the cluster's API, by kind and name; `uid` is empty where any object of that name is meant."""

    kind: str
    namespace: str
    name: str
    uid: str = ""

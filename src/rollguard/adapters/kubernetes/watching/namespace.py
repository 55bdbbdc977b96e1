"""The copies that belong to one namespace."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rollguard.adapters.kubernetes.objects.facts import OwnedPod, OwnedRevision
from rollguard.adapters.kubernetes.objects.wire import EndpointSlice
from rollguard.adapters.kubernetes.watching.configuration import ConfigObject, Copies
from rollguard.adapters.kubernetes.watching.reflector import Reflector
from rollguard.model.facts import Autoscaler, ClusterEvent, MigrationRun, Service, Workload

Watch = (
    Reflector[Workload]
    | Reflector[OwnedRevision]
    | Reflector[OwnedPod]
    | Reflector[ClusterEvent]
    | Reflector[MigrationRun]
    | Reflector[ConfigObject]
    | Reflector[Service]
    | Reflector[EndpointSlice]
    | Reflector[Autoscaler]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """The copies that belong to one namespace, and the tasks that keep them."""

    revisions: Reflector[OwnedRevision]
    pods: Reflector[OwnedPod]
    events: Reflector[ClusterEvent]
    config: Copies | None
    """None where nobody asks what the configuration is."""
    jobs: Reflector[MigrationRun] | None
    """None where the policy names no migrations."""
    tasks: tuple[asyncio.Task[None], ...]

    def all(self) -> tuple[Watch, ...]:
        """Every copy of the namespace."""
        return (self.revisions, self.pods, self.events, *self._optional())

    def needed(self) -> tuple[Watch, ...]:
        """Those without which nothing is judged.

        What may be left out is passed over while there is no right to it: the interlocks that look at it say or hold
        that it is not known. Any other failure of it counts: it may be over in a moment, and then more is known.
        """
        return (self.revisions, self.pods, self.events, *(each for each in self._optional() if not each.denied))

    def _optional(self) -> tuple[Watch, ...]:
        config = self.config.watches if self.config is not None else ()
        jobs = (self.jobs,) if self.jobs is not None else ()
        return (*config, *jobs)

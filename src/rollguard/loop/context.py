"""What the parts of the loop share: the ports, the records and the memory of each unit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from rollguard.decide import Judged
from rollguard.judge import JudgeState
from rollguard.loop import timeline
from rollguard.loop.asking import Asking
from rollguard.loop.emitting import Events
from rollguard.loop.leader import Gate
from rollguard.loop.outbox import Outbox
from rollguard.loop.policies import Policies
from rollguard.loop.settings import Log, Settings
from rollguard.loop.store import Store
from rollguard.loop.workers import Priority, Workers
from rollguard.model.action import Decision, Evidence
from rollguard.model.judgement import Verdict
from rollguard.model.names import RolloutId, UnitName, WorkloadName
from rollguard.model.policy import Policy, Watch
from rollguard.model.situation import Sibling
from rollguard.model.time import Instant
from rollguard.ports import Clock, Cluster, Journal
from rollguard.undo import Refusals


class LookAgain(Exception):
    """The record is not as it was when this look began: nothing was decided, look at it as it is now."""


@dataclass(slots=True, kw_only=True)
class Memory:
    """What is known of a unit beyond its records: lost with the process, rebuilt from cluster and store."""

    watch: Watch
    workload: WorkloadName
    lock: asyncio.Lock
    """Held while the unit is looked at or acted upon: one worker per unit."""
    judged: RolloutId | None = None
    """Whose judge state it is."""
    judges: dict[str, JudgeState] = field(default_factory=dict)
    """By the member of a release set; elsewhere one, by the empty name."""
    members: tuple[Judged, ...] = ()
    """Of a release set: the members that changed, as of the last look."""
    deserted: dict[str, Instant] = field(default_factory=dict)
    """By the member: since when its live colour has no Deployment, and nobody serves."""
    stayed: dict[str, Instant] = field(default_factory=dict)
    """By the member: since when it serves the new colour, where it stayed there as others went back alone."""
    fed: Instant | None = None
    """The end of the last slot that the judge has seen."""
    verdict: Verdict | None = None
    decision: Decision | None = None
    deciding: Instant | None = None
    """A rollback is decided and not yet counted in the records: it counts for the fleet's budget."""
    evidence: Evidence | None = None
    """What was saved for a plan that is not stored yet."""
    refusals: Refusals | None = None
    """Of the step that this process tried last."""
    restored: Instant | None = None
    dropped: str = ""
    """Why the unit is not guarded any more, while its rollout is still to be ended."""
    since: Instant
    """When it was first seen by this process under this leadership."""
    template: str = ""
    """Digest of the template that the spec asked for at the last look."""
    replaced: dict[str, Instant] = field(default_factory=dict)
    """Digests of the templates before it, and when, in the API server's time, each gave way."""
    again: set[Priority] = field(default_factory=set)
    """Jobs that came while the unit was worked upon: done afterwards."""
    unseen: Instant | None = None
    """Since when it is not seen completely; None while it is."""
    unclear: Instant | None = None
    """Since when every look would hold only because the cluster is not seen as it is now."""
    missing: tuple[str, ...] = ()
    """What was not seen at the last look, in words."""
    error: str = ""


@dataclass(slots=True, kw_only=True)
class Context:
    """One per Guard."""

    policies: Policies
    cluster: Cluster
    journal: Journal
    clock: Clock
    settings: Settings
    log: Log
    gate: Gate
    store: Store
    outbox: Outbox
    events: Events
    asking: Asking
    workers: Workers
    units: dict[UnitName, Memory] = field(default_factory=dict)
    breaching: dict[str, dict[UnitName, Sibling]] = field(default_factory=dict)
    """By a policy's digest: units without a rollout that breach a signal of it, as of the last tick."""
    unread: dict[str, Instant] = field(default_factory=dict)
    """Namespaces that cannot be read, and since when."""
    told: frozenset[str] = frozenset()
    """What hides something now, and was paged."""
    locks: dict[UnitName, asyncio.Lock] = field(default_factory=dict)
    """They outlive the memory: what was begun under an earlier leadership ends before anything new begins."""

    @property
    def policy(self) -> Policy:
        """The policy in force. An open rollout keeps the one that it began with: `policies.of`."""
        return self.policies.present

    def remember(self, workload: WorkloadName, watch: Watch) -> Memory:
        """A new memory of a unit."""
        name = UnitName.of_workload(workload)
        memory = Memory(
            watch=watch, workload=workload, since=self.now(), lock=self.locks.setdefault(name, asyncio.Lock())
        )
        self.units[name] = memory
        return memory

    def now(self) -> Instant:
        """Wall time in whole milliseconds, as records keep it."""
        return timeline.to_milliseconds(self.clock.now())

    def server_now(self) -> Instant:
        """The API server's time, as far as it is known: what its objects' times are compared with."""
        return self.at_server(self.clock.now())

    def at_server(self, moment: Instant) -> Instant:
        """A moment of our clock in the API server's time, as far as that is known."""
        return timeline.to_milliseconds(moment.plus(self.cluster.clock_offset() or 0.0))

    def offset(self) -> float | None:
        """The worst known clock offset, in seconds."""
        of_cluster = self.cluster.clock_offset()
        known = [*self.asking.clock_offsets(), *(() if of_cluster is None else (of_cluster,))]
        return max(known, key=abs) if known else None

"""What the core needs from the world, in its own words. *Unknown is an outcome*: simulator and reality are equally so.

A broken promise of a port (a wiring fault, a bug) is an exception; an unreachable server is an outcome.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rollguard.doctor import Check
from rollguard.model.action import (
    Absent,
    AutoscalerOutcome,
    Evidence,
    FetchOutcome,
    ServiceOutcome,
    Unknown,
    Write,
    WriteOutcome,
)
from rollguard.model.facts import InventoryItem, Template, UnitFacts
from rollguard.model.handling import Acknowledgement
from rollguard.model.metrics import MetricsAnswer, Question
from rollguard.model.names import Ref, RolloutId, TemplateHash, UnitName, WorkloadName
from rollguard.model.notices import Notice
from rollguard.model.policy import Policy, ReleaseSet
from rollguard.model.records import (
    Exists,
    PolicyStatus,
    RolloutRecord,
    Stale,
    StoredRollout,
    StoredUnit,
    TimelineEntry,
    UnitRecord,
)
from rollguard.model.requests import Freeze, HumanRequest
from rollguard.model.time import Instant, Mono


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> Instant:
        """Wall time."""
        ...

    def mono(self) -> Mono:
        """Monotonic time of this process."""
        ...

    async def sleep_until(self, when: Mono) -> None:
        """Returns at or after `when`; at once where it has passed."""
        ...


class Cluster(Protocol):
    """Workloads, and the Services and autoscalers of release sets: what runs, and the writes that change it."""

    def changes(self) -> AsyncIterator[UnitName]:
        """Units whose facts changed: lossy and duplicated, only wakes the loop."""
        ...

    def inventory(self) -> tuple[InventoryItem, ...] | None:
        """All workloads that exist, from the cache; None until the first list is complete."""
        ...

    def cover(self, namespaces: frozenset[str]) -> tuple[str, ...]:
        """Exactly these namespaces' workloads are known from now on, a new one's as soon as its first list is complete.

        What keeps a new one from being listed, one line each.
        """
        ...

    def look_for(self, migrations: tuple[str, ...], *, secrets: bool) -> None:
        """By which names (globs) Jobs and bare pods are migrations from now on; they are facts of their namespace.

        With `secrets` the metadata of Secrets is a fact too.
        """
        ...

    def sets(self, sets: tuple[ReleaseSet, ...]) -> None:
        """Exactly these release sets are known from now on: their Services and autoscalers are facts of their units."""
        ...

    def guard(self, units: frozenset[UnitName]) -> None:
        """Which units' pods are worth watching from now on. Of a release set: those of all its Deployments."""
        ...

    def facts(self, unit: UnitName) -> UnitFacts:
        """The unit's facts from the cache, with `complete` and `as_of` saying how good they are.

        Of a release set: the Deployments of both colours that exist, in the set's order, and what belongs to them; not
        complete, and without members, where the set is not known.
        """
        ...

    async def fetch(self, ref: Ref, *, timeout: float) -> FetchOutcome:
        """A quorum read of a Deployment."""
        ...

    async def fetch_service(self, ref: Ref, *, timeout: float) -> ServiceOutcome:
        """A quorum read of a Service, its EndpointSlices and its pods; Unknown where one of them was not answered."""
        ...

    async def fetch_autoscaler(self, ref: Ref, *, timeout: float) -> AutoscalerOutcome:
        """A quorum read of a HorizontalPodAutoscaler."""
        ...

    async def apply(self, write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
        """One guarded write. `Applied` only with the server's answer in hand."""
        ...

    async def save_evidence(
        self, rollout: RolloutId, unit: UnitName, *, bad: frozenset[TemplateHash], timeout: float
    ) -> Evidence:
        """Statuses, events and logs of the unit's pods (secrets masked), those of bad revisions first, kept as
        ConfigMaps."""
        ...

    async def save_template(self, workload: WorkloadName, template: Template, *, timeout: float) -> str | Unknown:
        """Keeps a template as a ControllerRevision of ours; its name (known again when it exists)."""
        ...

    async def load_template(self, namespace: str, name: str, *, timeout: float) -> Template | Absent | Unknown:
        """A template that `save_template` kept."""
        ...

    async def emit_event(self, workload: WorkloadName, uid: str, reason: str, text: str, *, warning: bool) -> None:
        """A Kubernetes Event on the workload; best effort, never raises for an unreachable server."""
        ...

    def clock_offset(self) -> float | None:
        """Seconds by which the API server's clock is ahead of ours, from its last answers; None while unknown."""
        ...


class Records(Protocol):
    """GuardedUnit and GuardedRollout: every write is a compare-and-swap."""

    def cover(self, namespaces: frozenset[str]) -> tuple[str, ...]:
        """The records of exactly these namespaces are listed from now on, a new one's as soon as they can be read.

        What comes back says which are passed over, for there is no right to read them.
        """
        ...

    async def list_units(self) -> tuple[StoredUnit, ...] | Unknown: ...

    async def list_rollouts(self, *, open_only: bool) -> tuple[StoredRollout, ...] | Unknown: ...

    async def read_unit(self, name: UnitName) -> StoredUnit | Absent | Unknown: ...

    async def read_rollout(self, unit: UnitName, id_: RolloutId) -> StoredRollout | Absent | Unknown: ...

    async def create_unit(self, record: UnitRecord) -> StoredUnit | Exists | Unknown: ...

    async def create_rollout(self, record: RolloutRecord) -> StoredRollout | Exists | Unknown: ...

    async def replace_unit(self, stored: StoredUnit, record: UnitRecord) -> StoredUnit | Stale | Absent | Unknown:
        """Writes the status (never `spec`, which is people's)."""
        ...

    async def replace_rollout(
        self, stored: StoredRollout, record: RolloutRecord
    ) -> StoredRollout | Stale | Absent | Unknown: ...

    async def delete_rollout(self, stored: StoredRollout) -> Unknown | None: ...

    def requests(self) -> AsyncIterator[UnitName]:
        """Units whose `spec` people changed, or whose alerts a replica recorded: lossy and duplicated, only wakes the
        loop."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """We lead until then on our monotonic clock, with this epoch."""

    until: Mono
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHeld:
    """Somebody else leads, or nobody knows."""

    holder: str
    detail: str


class Leadership(Protocol):
    """The Lease."""

    async def look(self) -> NotHeld | None:
        """Who holds the Lease, by a read alone; None where it is ours or may be taken, so that `renew` is worth its
        price."""
        ...

    async def renew(self, *, open_epochs: tuple[int, ...]) -> Held | NotHeld:
        """Renews or takes over; at takeover the new epoch is above the Lease's and all of `open_epochs`."""
        ...

    async def release(self) -> None:
        """Gives the Lease back at a graceful stop, so that the follower need not wait."""
        ...


class Metrics(Protocol):
    """The metrics store."""

    async def ask(self, question: Question, *, deadline: Mono) -> tuple[MetricsAnswer, ...]:
        """One answer per instant of the question, in its order; what is missing is a `NoSnapshot`."""
        ...

    def clock_offset(self) -> float | None:
        """Seconds by which the store's clock is ahead of ours; None while unknown."""
        ...

    async def close(self) -> None:
        """Ends the connections: it is not asked any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The channel took it."""

    detail: str
    reference: str = ""
    """What later notices of the rollout need there: a message's `ts` of Slack, an incident's id of PagerDuty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The channel will never take this."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try again after so many seconds; it may or may not have arrived."""

    after: float
    detail: str
    sent: bool = True
    """False where it surely has not arrived, for nothing has left: what is wrong is on this side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotConfigured:
    """The channel's secret, or a setting of the policy, is not there now; it may be at the next notice."""

    detail: str


class Notifier(Protocol):
    """One channel."""

    @property
    def name(self) -> str:
        """A fixed word of `model.channels`, or a webhook's own name."""
        ...

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry | NotConfigured:
        """At least once: the notice's id makes a repeat recognisable. Secrets are read anew each time."""
        ...

    async def close(self) -> None:
        """Ends the connections: nothing is sent any more."""
        ...


@runtime_checkable
class Pager(Notifier, Protocol):
    """A channel that can say who has acknowledged what it was told."""

    async def acknowledged(self, reference: str, *, timeout: float) -> Acknowledgement | Unknown | None:
        """Who has acknowledged last what it knows by that reference, and when; None while nobody has."""
        ...


class Channels(Protocol):
    """All channels of notices."""

    def connect(self, policy: Policy) -> tuple[Notifier, ...]:
        """Those that the policy has, to be closed by whom they were made for."""
        ...

    def place(self, channel: str, policy: Policy) -> str:
        """Where the channel's messages arrive now: two channels that share a secret may have one place."""
        ...

    def needs(self, policy: Policy) -> tuple[tuple[str, str], ...]:
        """Each channel by which people may be told, and what it still needs now, empty where it is set up; none where
        that is for another process to say."""
        ...


class Journal(Protocol):
    """A copy for readers; the loop never reads it. Never blocks acting."""

    def append(self, unit: UnitName, rollout: RolloutId | None, entry: TimelineEntry) -> None:
        """Idempotent by content."""
        ...

    def problem(self) -> str | None:
        """Why lines do not reach its database now; empty while they do, None where it has none or has not asked it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReading:
    """What a source says now: a policy, or what is wrong with it."""

    policy: Policy | None
    mistakes: tuple[str, ...] = ()
    generation: int = 0
    """Of an object of the cluster."""


class PolicySource(Protocol):
    """Where the policy comes from: a file, or an object of the cluster."""

    def latest(self) -> PolicyReading:
        """The newest that was read; the same object while nothing has changed."""
        ...

    async def report(self, status: PolicyStatus, *, timeout: float) -> Unknown | None:
        """Says in the source, where it has a place for that, what has become of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLost:
    """A policy that was kept cannot be had any more."""

    detail: str


class KeptPolicies(Protocol):
    """The policies that open rollouts began with, kept in the cluster for the next leader, once by digest."""

    async def keep(self, policy: Policy, *, timeout: float) -> Unknown | None:
        """Keeps it as the newest, for it comes into force; one that is kept already is the same."""
        ...

    async def newest(self, *, timeout: float) -> Policy | Unknown | None:
        """The one that came into force last, of those that can be read; None where there is none."""
        ...

    async def load(self, digest: str, *, timeout: float) -> Policy | PolicyLost | Unknown: ...

    async def digests(self, *, timeout: float) -> tuple[str, ...] | Unknown:
        """Of all that are kept."""
        ...

    async def drop(self, digest: str, *, timeout: float) -> Unknown | None:
        """Deletes it; one that is gone is no error."""
        ...


class Orders(Protocol):
    """What people's commands write: `spec.requests` and `spec.freeze`, under the name that the server knows them by."""

    async def whoami(self) -> str | Unknown:
        """The user name that the API server sees."""
        ...

    async def request(self, unit: UnitName, request: HumanRequest) -> WriteOutcome:
        """Adds an entry to the unit's `spec.requests`; `Absent` where the unit is not guarded."""
        ...

    async def freeze(self, unit: UnitName, freeze: Freeze | None) -> WriteOutcome:
        """Sets or (None) lifts the freeze; creates the object `rollguard-all` where it is missing."""
        ...


class Doctor(Protocol):
    """Looks for what keeps the guard from working."""

    async def examine(self, policy: Policy) -> tuple[Check, ...]:
        """Every check, those that are ok included; what could not be asked is `unknown`. Never raises for servers that
        do not answer."""
        ...

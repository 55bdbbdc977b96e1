"""The two cluster objects as data: GuardedUnit (one per unit) and GuardedRollout (one per unit and rollout)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.action import DecisionKind, Plan, Standing
from rollguard.model.alerting import ReceivedAlert
from rollguard.model.facts import MigrationRun
from rollguard.model.handling import Acknowledgement, Handling
from rollguard.model.judgement import Finding, LevelReading, Phase, SignalGap, VerdictKind
from rollguard.model.names import RolloutId, TemplateHash, UnitName, WorkloadName
from rollguard.model.notices import Notice
from rollguard.model.policy import Mode, ReleaseSet
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.model.time import Instant

EVERYTHING = "rollguard-all"
"""Name of the GuardedUnit, in the guard's namespace, that carries a freeze of everything."""
JOURNAL_UNREACHED = "JournalUnreached"
"""Its condition while the journal's database takes no lines."""
CLOSED_KEPT = 10
"""Closed rollouts of a unit that are kept, beside those with an open incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodRevision:
    """A revision that may be gone back to: judged healthy, or adopted."""

    hash: TemplateHash
    number: int
    digest: str
    bare_digest: str
    images: tuple[tuple[str, str], ...]
    since: Instant
    saved: str = ""
    """Name of the ControllerRevision that keeps its template, empty while none does."""
    config: tuple[tuple[str, str], ...] = ()
    """Fingerprints of the configuration that its template refers to, as it was then; what was not seen is left out."""
    image_ids: tuple[tuple[str, str], ...] = ()
    """(container, digest) as its pods ran then; two for a container that ran under two digests."""
    workload: str = ""
    """Of a release set: the Deployment that runs it."""


class LifecycleState(StrEnum):
    """Where a rollout under guard is."""

    WATCHING = "watching"
    AWAITING_APPROVAL = "awaiting_approval"
    PLANNED = "planned"
    ACTING = "acting"
    VERIFYING = "verifying"
    HELD = "held"
    CLOSED = "closed"


OWN_UNDO = (LifecycleState.PLANNED, LifecycleState.ACTING, LifecycleState.VERIFYING)
"""While the guard itself puts the old version back."""


class Outcome(StrEnum):
    """How a rollout ended; empty states have none yet."""

    HEALTHY = "healthy"
    UNDECIDED = "undecided"
    ROLLED_BACK = "rolled back"
    RECOVERED = "recovered"
    UNCONFIRMED = "restored, unconfirmed"
    DID_NOT_HELP = "rollback did not help"
    SUPERSEDED = "superseded"
    PUT_BACK = "put back by hand"
    """What ran before is back, and the guard did not do it: a person, a pipeline or another tool did."""
    GONE = "workload gone"
    HELD = "held to the end"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One line of a rollout's story."""

    at: Instant
    kind: str
    """`rollout`, `phase`, `verdict`, `decision`, `plan`, `step`, `evidence`, `recovery`, `human`, `notice`."""
    text: str
    actor: str = "rollguard"


_DONE = {
    DecisionKind.WARN: "warned",
    DecisionKind.PAGE: "paged",
    DecisionKind.HOLD: "held",
    DecisionKind.ASK: "asked for approval",
    DecisionKind.ROLL_BACK: "rolled back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The first decision of its kind that was not just to go on: a record's budget never cuts it."""

    at: Instant
    kind: DecisionKind
    would: bool
    """In mode observe: `kind` is what would have been done, and was not."""
    reason: str

    def sentence(self) -> str:
        """What was done, when and why: `would have rolled back at 2026-11-03T02:05:30Z, because ...`."""
        done = ("would have " if self.would else "") + _DONE.get(self.kind, self.kind.value)
        return f"{done} at {self.at.iso_second()}, because {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """How often something was found of one signal, and was gone in between."""

    signal: str
    member: str = ""
    """Of a release set; empty for a workload."""
    first: Instant
    """When it was found for the first time."""
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """Who wants the rollback, since when and why: what a plan is made for."""

    at: Instant
    reason: str
    actor: str = "rollguard"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLook:
    """What the guard saw when it last wrote it down: how each level and each interlock stood, and what followed."""

    at: Instant
    decision: DecisionKind
    reason: str
    verdict: str
    """Why the verdict was what it was, or what was missing for another."""
    readings: tuple[LevelReading, ...] = ()
    gaps: tuple[SignalGap, ...] = ()
    standings: tuple[Standing, ...] = ()
    wake_at: Instant | None = None
    """When time alone may change the decision."""
    left_out: int = 0
    """Readings and interlocks that had no room; what is reached or forbids goes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What a member of a release set runs on one colour."""

    colour: str
    workload: WorkloadName
    uid: str
    hash: TemplateHash
    number: int
    digest: str
    images: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMember:
    """Which colour of a member serves, while nothing rolls out."""

    member: str
    side: Side
    beside: TemplateHash | None = None
    """What the other colour's ready pods ran then: of a member without a Service they are no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A member of a release set on its way from one colour to the other."""

    member: str
    service: str
    """Empty for a member without one."""
    old: Side
    new: Side
    since: Instant
    """When its Service was seen switched, or its first pod of the new colour was ready, in the API server's time."""
    needed: int
    """Ready pods that the old colour must have before it serves again: what the live colour had, the most that was
    seen while it was under guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRecord:
    """GuardedUnit: long-lived. `spec` fields are people's, `status` fields are the guard's."""

    name: UnitName
    workload: WorkloadName
    requests: tuple[HumanRequest, ...] = ()
    freeze: Freeze | None = None
    uid: str = ""
    """The workload's uid; another uid is another workload of the same name."""
    current_rollout: RolloutId | None = None
    last_target: TemplateHash | None = None
    """The target when nothing was rolling out: what a new rollout's baseline is."""
    healthy: tuple[GoodRevision, ...] = ()
    """Judged healthy, newest last, at most 10."""
    adopted: GoodRevision | None = None
    adopted_before: tuple[GoodRevision, ...] = ()
    """Adopted before that one, newest last, at most 3: still ways back."""
    undone: tuple[tuple[str, Instant], ...] = ()
    """(digest of a template, when it was undone) of what has not been good since, newest last, at most 10."""
    automatic_rollbacks: tuple[Instant, ...] = ()
    charged_migrations: tuple[str, ...] = ()
    """uids of failed migrations that an earlier rollout was judged by, the newest last, at most 32."""
    handled_requests: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    mode: Mode = Mode.OBSERVE
    team: str = ""
    """Whose it is, as the policy's watch says."""
    owners: tuple[str, ...] = ()
    """Tools' objects that its workloads come from, as `Helm shop/api`, at most 8."""
    conditions: tuple[tuple[str, str], ...] = ()
    """(type, message) of what is wrong now: `Blind`, `PolicyInvalid`, ..."""
    live: tuple[LiveMember, ...] = ()
    """Of a release set: each member's live colour when nothing was rolling out."""
    switches: int = 0
    """Of a release set: rollouts so far, for their names."""
    release_set: ReleaseSet | None = None
    """What the set consists of, as the policy in force says: commands read it here."""
    alerts: tuple[ReceivedAlert, ...] = ()
    """Of its Deployments, as Alertmanager told them, the first to begin first; at most 32. Any replica writes them."""
    channels: tuple[tuple[str, str], ...] = ()
    """Of the unit that stands for all: (channel of notices, what it still needs, empty where it is set up), as the
    leader finds them, at most 100; none where no leader has said."""
    journal_reached: bool | None = None
    """Of the same: whether the journal's database takes lines; None where there is none, or that is not known."""

    def good(self) -> tuple[GoodRevision, ...]:
        """What may be gone back to, the newest first: each revision judged healthy, and the adopted ones.

        An adopted revision goes before those that were good before it stood, after those judged healthy since.
        """
        found = list(reversed(self.healthy))
        adopted = (*self.adopted_before, *((self.adopted,) if self.adopted is not None else ()))
        for one in reversed(adopted):
            if not any(good.digest == one.digest for good in found):
                place = next((n for n, good in enumerate(found) if good.since < one.since), len(found))
                found.insert(place, one)
        return tuple(found)

    def rejection(self, rollout: RolloutRecord) -> HumanRequest | None:
        """The newest order that the rollout is not rolled back; None where nobody gave one."""
        for request in reversed(self.requests):
            if rollout.is_meant(request) and request.kind is RequestKind.REJECT:
                return request
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRecord:
    """GuardedRollout: one per unit and rollout; its incident is a part of it."""

    id: RolloutId
    unit: UnitName
    workload: WorkloadName
    uid: str
    started: Instant
    """By the API server's clock (creation of the object)."""
    target: TemplateHash
    target_number: int
    target_digest: str
    target_images: tuple[tuple[str, str], ...]
    baseline: TemplateHash | None
    baseline_number: int | None
    baseline_images: tuple[tuple[str, str], ...]
    policy_digest: str
    mode: Mode
    state: LifecycleState
    phase: Phase
    epoch: int
    verdict: VerdictKind
    why: str
    """The reason of the present decision, with value and bound."""
    findings: tuple[Finding, ...] = ()
    """Of the last verdict, and earlier ones of signals that were not seen whole by then; at most 8."""
    pods: tuple[tuple[str, TemplateHash], ...] = ()
    """pod -> revision, at most 200: kept after the pod is gone."""
    ordered: Ordered | None = None
    """The last time that a rollback was wanted."""
    plan: Plan | None = None
    asked_until: Instant | None = None
    verify_since: Instant | None = None
    evidence: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    """At most 60; the oldest in the middle go first."""
    outcome: Outcome | None = None
    incident: str = ""
    """The incident's id, empty while there is none."""
    incident_opened: Instant | None = None
    incident_resolved: Instant | None = None
    closed: Instant | None = None
    last_look: LastLook | None = None
    """As of its last change of verdict, decision or phase, or not long before now."""
    responses: tuple[Response, ...] = ()
    """What was done about it, or would have been, the earliest first; at most one of a kind."""
    migrations: tuple[MigrationRun, ...] = ()
    """Seen while it was under guard, at most 16: kept after the Job is gone."""
    proven: Instant | None = None
    """The old revision has served healthily since then: what had run before does not hinder it."""
    order: str = ""
    """The order that opened it while nothing rolled out: it carries that plan and decides nothing by itself."""
    passages: tuple[Passage, ...] = ()
    """Of a release set: the members that changed, in the set's order. `target` and `baseline` are those of the member
    that changed first."""
    called: Instant | None = None
    """When a page first called for a person; None where none does (any more)."""
    acknowledged: Acknowledgement | None = None
    """Who has taken note last; a newer call asks for a newer one."""
    investigating: Acknowledgement | None = None
    """Who has taken it on: an approval's time limit does not run."""
    handling: tuple[Handling, ...] = ()
    """What people have done about its findings, at most 16."""
    references: tuple[tuple[str, str], ...] = ()
    """(channel, what it knows the rollout by): Slack its first message there, PagerDuty the last incident of it."""
    recurrences: tuple[Recurrence, ...] = ()
    """Of what was found so far, what came last at the end; at most 16."""
    over_untold: str = ""
    """Why its hold was over, where people were not told, for it comes and goes; empty where they know how it is."""

    def reference(self, channel: str) -> str:
        """What that channel knows the rollout by; empty while it has no message there."""
        return dict(self.references).get(channel, "")

    def is_meant(self, request: HumanRequest) -> bool:
        """Whether a person's answer is about it: by its name, or by none where it had begun by then."""
        return request.rollout == self.id or (request.rollout is None and request.at >= self.started)

    def digests(self) -> tuple[str, ...]:
        """Those of the templates that it brought: one, or of a release set one for each member that changed."""
        return tuple(passage.new.digest for passage in self.passages) or (self.target_digest,)

    def hashes(self) -> frozenset[TemplateHash]:
        """Of the same templates: their pods are the new ones."""
        return frozenset(passage.new.hash for passage in self.passages) or frozenset({self.target})

    def wanted(self) -> Ordered:
        """Who wants the rollback; where the record does not say, the guard itself, since the start."""
        return self.ordered or Ordered(at=self.started, reason=self.why)

    def would(self) -> tuple[Response, ...]:
        """What mode observe kept the guard from, the earliest first."""
        return tuple(response for response in self.responses if response.would)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatus:
    """The `status` of a GuardPolicy object: what the leader makes of it."""

    valid: bool
    """False while an earlier policy stays in force because of the mistakes."""
    digest: str = ""
    """Of the policy in force."""
    mistakes: tuple[str, ...] = ()
    """At most 32."""
    observed_generation: int = 0
    """The object's generation that this is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUnit:
    """A GuardedUnit as read, with the version that a compare-and-swap needs."""

    record: UnitRecord
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRollout:
    """A GuardedRollout as read, with the version that a compare-and-swap needs."""

    record: RolloutRecord
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """An object of that name exists already: known, not an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """The object changed since it was read: read again and decide again."""

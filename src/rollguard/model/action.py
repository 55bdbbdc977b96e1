"""Decisions, plans and steps: what is to be done about a verdict, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.judgement import Verdict, VerdictKind
from rollguard.model.names import Ref, RolloutId, TemplateHash
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant

FIELD_MANAGER = "rollguard"
"""The name under which the API server notes the guard's writes."""
FACTS_INCOMPLETE, STALE_STATUS = "facts incomplete", "stale status"
UNCLEAR = frozenset({FACTS_INCOMPLETE, STALE_STATUS})
"""Interlocks that forbid because the cluster is not seen as it is now."""


class DecisionKind(StrEnum):
    """The response to a verdict."""

    CONTINUE = "continue"
    WARN = "warn"
    PAGE = "page"
    HOLD = "hold"
    ASK = "ask"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An interlock as it stands: `forbids` is True where it keeps the guard from acting alone."""

    name: str
    forbids: bool
    reason: str
    """Why it forbids, or what was looked at and found in order."""
    judging: bool = False
    """It doubts the judgement, not the facts: a person with the right to force overrides it."""
    member: str = ""
    """Of a release set: the member that it was asked about; empty for what concerns the set as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The revision to go back to; `judged` is False for an adopted one."""

    hash: TemplateHash
    number: int
    images: tuple[tuple[str, str], ...]
    judged: bool
    workload: str = ""
    """Of a release set: the Deployment that has it. Empty where it is put back in place."""
    colour: str = ""
    """Of a release set: the colour that serves again."""

    @property
    def name(self) -> str:
        """`revision 3`, or of a release set the colour."""
        return self.colour or f"revision {self.number}"

    @property
    def order(self) -> str:
        """What a plan for it does: `put revision 3 back`, or `switch back to blue`."""
        return f"switch back to {self.colour}" if self.colour else f"put revision {self.number} back"

    @property
    def state(self) -> str:
        """What is so once it is done: `revision 3 is put back`, or `blue serves again`."""
        return f"{self.colour} serves again" if self.colour else f"revision {self.number} is put back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The response with its reason. `wake_at` is when to decide again even if nothing happens."""

    kind: DecisionKind
    reason: str
    interlocks: tuple[Standing, ...]
    verdict: Verdict
    target: Target | None
    wake_at: Instant | None = None
    would: DecisionKind | None = None
    """In mode observe: what would have been done (`kind` is then `page`, the reason says it)."""
    known: bool = False
    """A hold for a reason that people gave or were told already: no news while it is held."""

    def forbidding(self) -> tuple[str, ...]:
        """Names of the interlocks that forbid, sorted."""
        return tuple(sorted({standing.name for standing in self.interlocks if standing.forbids}))

    def unclear(self) -> bool:
        """Bad, and held only because the cluster is not seen as it is now: mostly that is over soon."""
        forbidding = set(self.forbidding())
        held = self.kind is DecisionKind.HOLD and self.verdict.kind is VerdictKind.BAD
        return held and bool(forbidding) and forbidding <= UNCLEAR

    def about(self) -> str:
        """What it is about, without values, pods' names or others' words: the evidence and what forbids."""
        decisive = [f for f in self.verdict.findings if f.level is LevelName.ROLLBACK] or self.verdict.findings
        evidence = sorted({f"{finding.signal} {finding.level.value}" for finding in decisive})
        forbidding = self.forbidding()
        return "; ".join([*evidence, *([name for name in forbidding if name not in UNCLEAR] or forbidding)])


class StepState(StrEnum):
    """States only advance, in this order; done, skipped and failed are final."""

    PENDING = "pending"
    TRYING = "trying"
    DONE = "done"
    SKIPPED = "skipped"
    """Left undone, with the reason, by a plan that does not need it, or is not to do it any more."""
    FAILED = "failed"


class Fruitless(StrEnum):
    """Why a plan ended with nothing undone."""

    HINDERED = "hindered"
    """Something stood in its way, or people stopped it."""
    REFUSED = "refused"
    """The API server would not have a write of it."""


class StepKind(StrEnum):
    """What a step writes."""

    RESTORE_TEMPLATE = "restore-template"
    RESTORE_MANAGERS = "restore-managers"
    """A courtesy: the fields that the restoring write made the guard's go back to their appliers. The rollback does not
    wait for it, and is not undone by its failure."""
    RAISE_MINIMUM = "raise-minimum"
    """An autoscaler's `minReplicas` goes up for the time of the rollback: else it takes the next step back."""
    SCALE_UP = "scale-up"
    """The old colour gets the pods that it needs, and is waited for until they are ready."""
    SWITCH = "switch"
    """A Service's selector names the old colour again, and is waited for until its endpoints are the old colour's."""
    SCALE_DOWN = "scale-down"
    """The bad colour goes to 0, once its connections had the time to drain."""
    RESTORE_MINIMUM = "restore-minimum"
    """The autoscaler's `minReplicas` becomes what it was."""
    SCALE_BACK = "scale-back"
    """Only of a plan that is given up before the first switch: the old colour's replicas become what they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write of a plan."""

    n: int
    kind: StepKind
    target: Ref
    precondition: str
    """The state that the step may replace. For a template: the digest of the bad one, or of the one whose owners it
    changes. For replicas: the digest of the template that the Deployment must still have. For a selector: the bad
    colour. For an autoscaler: its `minReplicas`."""
    goal: str
    """The state that it makes: reached, with the receipt, means done. A digest; replicas; a colour; `minReplicas`."""
    body: str
    """What is written: the restored template's canonical JSON; who owned what before it, as JSON; the key of a
    selector. Of replicas: how many were there before it."""
    revision: int
    """The bad template's revision number as judged: under a higher one it was applied again since. Else 0."""
    state: StepState = StepState.PENDING
    detail: str = ""
    over_at: Instant | None = None
    """When it was found done, skipped or failed."""
    member: str = ""
    """Of a release set: the member that it moves."""
    fruitless: Fruitless | None = None
    """Of a failed step: why its plan ended with nothing undone. None where something was, or may have been."""

    @property
    def words(self) -> str:
        """What it does, in words: `switch backend-service to blue`."""
        name = self.target.name
        match self.kind:
            case StepKind.RAISE_MINIMUM:
                return f"raise the minimum of {name} to {self.goal}"
            case StepKind.SCALE_UP:
                return f"scale {name} up to {self.goal}"
            case StepKind.SWITCH:
                return f"switch {name} to {self.goal}"
            case StepKind.SCALE_DOWN:
                return f"scale {name} down to {self.goal}"
            case StepKind.RESTORE_MINIMUM:
                return f"set the minimum of {name} back to {self.goal}"
            case StepKind.SCALE_BACK:
                return f"scale {name} back to {self.goal}"
            case _:
                return self.kind.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Stored whole before its first effect. Immutable but for the states of its steps."""

    id: str
    epoch: int
    created: Instant
    expires: Instant
    reason: str
    actor: str
    """`rollguard` or the person who asked."""
    target: Target
    steps: tuple[Step, ...]
    drain: float = 0.0
    """Of a release set: seconds that the bad colour is left its connections after the last switch."""
    continues: int = 0
    """How many plans, numbered before it without a gap, it goes on with: their receipts are its own."""

    @property
    def restoring(self) -> Step:
        """The step that puts the template back: the first of a plan for a workload by itself."""
        return self.steps[0]

    @property
    def number(self) -> int:
        """How many plans its rollout has had, with this one."""
        return int(self.id.rsplit(".", 1)[1])

    @property
    def fruitless(self) -> Fruitless | None:
        """Why it ended with nothing undone; None while it has not ended, and where something was, or may have been."""
        return next((step.fruitless for step in self.steps if step.fruitless is not None), None)

    @property
    def done(self) -> bool:
        """Whether nothing of it is left to do, and nothing failed."""
        return all(step.state in (StepState.DONE, StepState.SKIPPED) for step in self.steps)


# --- what a port says of a write; unknown is an outcome ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The server's answer is in hand: the write took effect, or in a dry run would. `generation` is the object's after
    it."""

    at: Instant
    generation: int
    template_body: str = ""
    """As the server keeps it, past admission: canonical JSON as in `Found`; empty where a template was not written."""
    template_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A write guard failed: the object is not as it was read (409, or 422 of a failed `test`)."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The server refused for good: forbidden, invalid, denied by admission or quota."""

    status: int
    detail: str
    passing: bool = False
    """It may be over soon: a server that has just started does not know its users and roles yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """The server asks to come again later; it did not apply the write."""

    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """No answer, or 5xx: it may have been applied, now or later."""

    detail: str
    unserved: bool = False
    """The server answered that it serves no objects of that kind: what defines them is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The object does not exist."""


WriteOutcome = Applied | Conflict | Rejected | Throttled | Unknown | Absent


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A Deployment by a quorum read, as far as a step needs it."""

    uid: str
    resource_version: str
    generation: int
    observed_generation: int
    paused: bool
    template_body: str
    """Canonical JSON without `pod-template-hash`."""
    template_digest: str
    receipt: str
    """The annotation `rollguard.dev/step`, empty where there is none."""
    has_annotations: bool
    revision: int
    """The annotation `deployment.kubernetes.io/revision`: it only rises, and lags a little behind a change of the
    template; 0 where there is none."""
    raw_template: str
    """`spec.template` exactly as the server gave it, as JSON: the write guard tests for equality with it."""
    guard: str = ""
    """The annotation `rollguard.dev/guard`: `off` opts out."""
    last_applied: str = ""
    """The annotation `kubectl.kubernetes.io/last-applied-configuration`, empty where there is none."""
    managed_fields: str = ""
    """`metadata.managedFields` as the server gave it, as JSON; empty where there is none."""
    replicas: int = 0
    """`spec.replicas`."""
    ready: int = 0
    """Its ready pods, of any revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundService:
    """A Service by a quorum read, with what stands behind it."""

    uid: str
    resource_version: str
    selector: tuple[tuple[str, str], ...]
    receipt: str
    has_annotations: bool
    serving: int
    """Ready endpoints whose pods the selector selects."""
    strangers: int
    """Ready endpoints whose pods it does not select (any more): the EndpointSlices are behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAutoscaler:
    """A HorizontalPodAutoscaler by a quorum read."""

    uid: str
    resource_version: str
    minimum: int
    maximum: int
    receipt: str
    has_annotations: bool


FetchOutcome = Found | Absent | Unknown
ServiceOutcome = FoundService | Absent | Unknown
AutoscalerOutcome = FoundAutoscaler | Absent | Unknown
Reading = Found | FoundService | FoundAutoscaler | Absent | Unknown
"""Of whatever kind a step's object is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A patch with its write guards, ready to send: `patch` is a JSON Patch as JSON text."""

    ref: Ref
    patch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was saved before the first destructive step; `complete` is False where the time was up."""

    rollout: RolloutId
    names: tuple[str, ...]
    """Of the ConfigMaps."""
    complete: bool
    detail: str

"""The document of a policy: the one table of its keys, from which the JSON Schema is made too."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from rollguard.policy import checks
from rollguard.policy.alerts import AlertPart, AlertsPart
from rollguard.policy.journal import JournalPart
from rollguard.policy.notify import Notify
from rollguard.policy.operations import ContactPart, RetentionPart, RunbooksPart
from rollguard.policy.part import (
    Count,
    Duration,
    Expression,
    File,
    LabelName,
    Matchers,
    Name,
    Namespace,
    Part,
    Pattern,
    Selector,
    SignalName,
    Url,
)
from rollguard.policy.quiet import QuietPart
from rollguard.policy.sets import ReleaseSetPart

ModeName = Literal["observe", "approve", "automatic"]


class Metadata(Part):
    """What the policy is called."""

    name: Name
    """What the policy is called, in texts and in the cluster."""
    namespace: Namespace | None = None
    """Where the object lives, if it is one; a file's is not used."""
    labels: dict[str, str] = {}
    """For people and tools; not used."""
    annotations: dict[str, str] = {}
    """For people and tools; not used."""


class Labels(Part):
    """Which labels of the series name what."""

    namespace: LabelName = "namespace"
    """The label with the namespace."""
    pod: LabelName | Literal[""] = "pod"
    """The label with the pod; `""` where the series carry none: then old and new pods cannot be told apart, and
    it judges before against after."""
    workload: LabelName = "deployment"
    """The label with the Deployment's name; the guard uses it where there is no pod label, the rules wherever series
    carry it (the others are found by their pod's owner)."""
    cluster: LabelName | Literal[""] = ""
    """The label with the cluster, where one store keeps several: alerts and panels carry it; none where it is not
    given."""


class Auth(Part):
    """How to authenticate: secrets come from files."""

    bearer_token_file: File | None = None
    """A file with a bearer token; read again when it changes."""
    username: Annotated[str, AfterValidator(checks.header_value)] | None = None
    """The user of basic authentication."""
    password_file: File | None = None
    """A file with the password; needs `username`."""
    ca_file: File | None = None
    """A file with the certificates to trust; else the system's."""
    certificate_file: File | None = None
    """A file with our client certificate; needs `keyFile`."""
    key_file: File | None = None
    """A file with its key, not encrypted; needs `certificateFile`."""
    headers: dict[
        Annotated[str, AfterValidator(checks.header_name)], Annotated[str, AfterValidator(checks.header_value)]
    ] = {}
    """Fixed headers without secrets, such as a tenant's `X-Scope-OrgID`."""


class Metrics(Part):
    """The Prometheus-compatible store."""

    address: Url
    """Where the store is, as the guard reaches it; paths below it are those of Prometheus' HTTP API."""
    scrape_interval: Duration = 15.0
    """How often the series are scraped."""
    labels: Labels = Labels()
    """Which labels of the series name what."""
    match: Matchers = ""
    """Label matchers added to every selector, such as `cluster="eu"`; also chooses one replica where several
    store the same."""
    auth: Auth = Auth()
    """How to authenticate."""


class WorkloadSelector(Part):
    """Workloads by their labels."""

    match_labels: Annotated[
        dict[str, Annotated[str, AfterValidator(checks.label_value)]], Field(min_length=1, max_length=32)
    ]
    """Labels of the Deployment, all of which it must have."""


class WatchPart(Part):
    """Workloads to guard."""

    name: Name
    """A name of its own."""
    namespace: Namespace
    """Where its workloads are."""
    workloads: Annotated[list[Name], Field(min_length=1)] | None = None
    """Deployments by name; either this, `selector` or `releaseSet`."""
    selector: WorkloadSelector | None = None
    """Deployments by their labels; a watch that names one goes before."""
    release_set: ReleaseSetPart | None = None
    """Deployments of two colours that are switched, and go back, together."""
    mode: ModeName | None = None
    """The mode of this watch; else that of the policy."""
    signals: Annotated[list[str], Field(min_length=1)] | None = None
    """The signals that apply; all of them where none is named."""
    called_by: list[Name] = []
    """Workloads, and release sets by the names of their watches, that suffer when these are bad: they never make it
    look like an outage."""
    team: str = ""
    """Whose it is; goes with each notice."""


class LevelPart(Part):
    """A bound with its duration: `above`, or for a histogram one of the quantiles."""

    above: str | int | float | None = None
    """The bound that the value must be greater than: a share (`10%`) for a ratio, a count per time (`0.5/min`)
    for a rate, a number for a gauge or a share where it has a `limit`."""
    p50: Duration | None = None
    """Histogram: the bound of half of the requests."""
    p90: Duration | None = None
    """Histogram: the bound of 90% of the requests."""
    p95: Duration | None = None
    """Histogram: the bound of 95% of the requests."""
    p99: Duration | None = None
    """Histogram: the bound of 99% of the requests."""
    p999: Duration | None = None
    """Histogram: the bound of 99.9% of the requests."""
    for_: Duration = Field(alias="for")
    """How long: the time over which the value is pooled; at least one slot."""


def _one_or_many(value: object) -> str:
    return "many" if isinstance(value, list) else "one"


LevelParts = Annotated[
    Annotated[LevelPart, Tag("one")] | Annotated[list[LevelPart], Tag("many"), Field(min_length=1, max_length=8)],
    Discriminator(_one_or_many),
]


class Levels(Part):
    """Either of several bounds is enough for a level."""

    warning: LevelParts | None = None
    """Reached: a notice, and the verdict is `degraded`."""
    critical: LevelParts | None = None
    """Reached: a page, and the verdict is `degraded`."""
    rollback: LevelParts | None = None
    """Reached: the verdict is `bad`."""


class SignalPart(Part):
    """What is watched."""

    kind: Literal["ratio", "histogram", "rate", "gauge", "event"]
    """What it is: bad of all requests, requests by their duration, a counter's growth, a value, or a rule on the
    cluster's own statuses."""
    bad: Selector | None = None
    """Ratio: the selector of the bad requests' counter."""
    total: Selector | None = None
    """Ratio: the selector of all requests' counter."""
    buckets: Selector | None = None
    """Histogram: the selector of the buckets, whose name ends in `_bucket`."""
    counter: Selector | None = None
    """Rate: the selector of the counter."""
    gauge: Expression | None = None
    """Gauge: an expression that yields a value for each pod."""
    limit: Expression | None = None
    """Gauge: an expression by which the value is divided; no such series, no signal for that container."""
    rule: Literal["crashLoop", "imagePull", "progressDeadline", "migrationFailed"] | None = None
    """Event: which rule."""
    required: bool | None = None
    """Whether the guard is blind without it; else what an event is not."""
    scope: Literal["workload", "shared"] = "workload"
    """`shared` for what belongs to no workload, such as a database: all that its selectors and `metrics.match` choose,
    in whatever namespace it is scraped. A limit is that of the same `instance`."""
    per: Literal["workload", "pod"] = "workload"
    """Rate: `pod` for the mean over the pods; else their sum."""
    minimum_traffic: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Ratio and histogram: requests in a level's window below which it cannot be reached; 20 where it is not
    given."""
    levels: Levels = Levels()
    """The bounds."""
    alerts: Annotated[list[AlertPart], Field(max_length=16)] | None = None
    """The alerts on these bounds; where they are not given, one for each level, named after the signal. `[]`: none."""


class Window(Part):
    """How long a rollout is guarded, and its phases."""

    automatic: Duration | None = None
    """How long after a rollout the guard acts by itself; 30m where it is not given."""
    close: Duration | None = None
    """How long it acts with approval; 2h where it is not given, and at least the automatic part."""
    startup: Duration | None = None
    """Where the phase startup ends; 5m where it is not given, less in a short window."""
    stabilization: Duration | None = None
    """Where the phase stabilization ends; 15m where it is not given, half of a short automatic part."""


class Recovery(Part):
    """When a rollback has helped."""

    within: Duration | None = None
    """How long after a rollback its success is waited for; 10m where it is not given."""
    for_: Duration | None = Field(default=None, alias="for")
    """How long everything must be good to call it one; 2m where it is not given."""


class TimingPart(Part):
    """The loop's own durations."""

    tick: Duration | None = None
    """How often the guard looks at everything; 15s where it is not given."""
    slot: Duration | None = None
    """The interval that is judged; two scrape intervals and at least 15s where it is not given."""
    lateness: Duration | None = None
    """How long after its end a slot is asked for; a scrape interval and 5s where it is not given."""
    adopted_after: Duration | None = None
    """How long a revision must have run unchanged to be a valid target without having been judged; 1d where it is
    not given."""
    plan_expiry: Duration | None = None
    """How old a plan may be when a step is written; 15m where it is not given."""
    recovery: Recovery = Recovery()
    """When a rollback has helped."""
    approval_within: Duration | None = None
    """How long a question to a human is open; 5m where it is not given."""
    repeat_notice: Duration | None = None
    """How often a page is repeated that nobody has answered; 1h where it is not given."""
    clock_offset: Duration | None = None
    """How far the store's or the cluster's clock may be off before the guard holds; 30s where it is not given."""


class Fleet(Part):
    """The budget of automatic rollbacks of all units."""

    units: Count | None = None
    """So many workloads may be rolled back automatically; 5 where it is not given."""
    within: Duration | None = None
    """In this time; 10m where it is not given."""


class LimitsPart(Part):
    """How often the guard acts by itself."""

    rollbacks: Count | None = None
    """So many automatic rollbacks of one workload; 2 where it is not given."""
    within: Duration | None = None
    """In this time; 1h where it is not given."""
    fleet: Fleet = Fleet()
    """The budget of all workloads together."""


class MigrationPart(Part):
    """Migrations of the database: Jobs and bare pods by their names."""

    pattern: Annotated[
        Annotated[Pattern, Tag("one")] | Annotated[list[Pattern], Tag("many"), Field(min_length=1, max_length=16)],
        Discriminator(_one_or_many),
    ]
    """The names of migrations, such as `prisma-migrate-*`; one pattern or a list."""
    interlock: Literal["proven", "marked", "off"] = "proven"
    """What makes a way back over a migration safe: the old revision served well after it or the mark on it
    (`proven`), only the mark (`marked`); `off` never asks."""
    on_failure: Literal["ask", "rollBack"] = "ask"
    """What a failed migration does: a human is asked, or the workloads go back (the database never does)."""


class LinksPart(Part):
    """Base addresses for the words of a notice."""

    dashboard: Url | None = None
    """The dashboard of deployments; alerts link the other rendered ones beside it (`.../d/UID`)."""
    runbook: Url | None = None
    """Where the runbooks begin."""


class Spec(Part):
    """The policy proper."""

    preset: str | None = None
    """Signals that come with Rollguard: `generic` or `dubbing-platform`; the policy's own keys go over them."""
    mode: ModeName = "observe"
    """What the guard may do: `observe` says what it would have done, `approve` asks, `automatic` acts."""
    cluster: str = ""
    """The cluster's name, for texts."""
    time_zone: Annotated[str, AfterValidator(checks.time_zone)] = "UTC"
    """The time zone of times of the day."""
    metrics: Metrics
    """The Prometheus-compatible store."""
    watch: Annotated[list[WatchPart], Field(min_length=1)]
    """What is guarded."""
    signals: Annotated[dict[SignalName, SignalPart], Field(min_length=1)]
    """What is watched, by name; may be left out where there is a preset."""
    window: Window = Window()
    """How long a rollout is guarded, and its phases."""
    join_window: Duration | None = None
    """How long after a release set's first switch further members join its rollout; 2m where it is not given, and at
    most the automatic part of the window."""
    drain: Duration | None = None
    """How long the colour that a release set went back from is left its connections; 30s where it is not given."""
    timing: TimingPart = TimingPart()
    """The loop's own durations."""
    limits: LimitsPart = LimitsPart()
    """How often the guard acts by itself."""
    on_timeout: Literal["hold", "rollBack"] = "hold"
    """What an approval that nobody gave in time does."""
    maintenance: Annotated[list[QuietPart], Field(max_length=64)] = []
    """Quiet windows: within one, a bad release is held and paged."""
    gitops: Annotated[Literal["hold", "ignore"], BeforeValidator(checks.not_yet("freeze", "hold or ignore"))] = "hold"
    """What a workload of Argo CD or Flux means: `hold`, for the tool would apply the bad version again, or `ignore`."""
    helm: Literal["hold", "ignore"] = "hold"
    """What a Helm release that is pending, or whose state is not known, means."""
    secrets: Literal["metadata", "none"] = "none"
    """What may be read of Secrets: their versions (never their values), or nothing."""
    migration: MigrationPart | None = None
    """Which Jobs and pods migrate the database, and what they mean for a way back; none where it is not given."""
    shared: Literal["ask", "rollBack"] = "ask"
    """What a shared signal that turned bad after a rollout does: a human is asked, or it counts as the workload's."""
    notify: Notify = Notify()
    """Where notices go."""
    journal: JournalPart | None = None
    """Where the story of every rollout is copied to, for readers; where it is not given, to the log alone."""
    links: LinksPart = LinksPart()
    """Base addresses for the words of a notice."""
    contacts: Annotated[list[ContactPart], Field(max_length=64)] = []
    """Whom to reach in trouble: for the rendered guides."""
    retention: RetentionPart = RetentionPart()
    """How long metrics are kept: for the rendered stores."""
    runbooks: RunbooksPart = RunbooksPart()
    """What the rendered runbooks and guides need to know beyond what is guarded."""
    alerts: AlertsPart = AlertsPart()
    """What of the rendered rules belongs to no signal."""


class Document(Part):
    """A GuardPolicy."""

    api_version: Literal["rollguard.dev/v1alpha1"]
    """The version of this form."""
    kind: Literal["GuardPolicy"]
    """What this is."""
    metadata: Metadata
    """What the policy is called."""
    spec: Spec
    """The policy proper."""


def schema() -> dict[str, Any]:
    """The JSON Schema of a policy; what a preset gives may be left out there."""
    made = Document.model_json_schema(by_alias=True)
    spec = made["$defs"]["Spec"]
    spec["required"] = [key for key in spec["required"] if key != "signals"]
    signal = made["$defs"]["SignalPart"]
    signal.pop("required", None)
    made["$defs"]["LevelPart"].pop("required", None)
    return made

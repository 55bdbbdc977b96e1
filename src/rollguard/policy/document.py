"""The document of a policy: the one table of its keys, from which the JSON Schema is made too."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from rollguard.policy import checks

Duration = Annotated[
    float,
    BeforeValidator(checks.duration),
    WithJsonSchema({"type": "string", "description": "a duration with a unit", "examples": ["15s", "5m", "1h30m"]}),
]
_CLOCK = WithJsonSchema({"type": "string", "description": "a time of the day", "examples": ["22:00", "06:30"]})
ClockTime = Annotated[int, BeforeValidator(checks.clock_time), _CLOCK]
EndTime = Annotated[int, BeforeValidator(checks.end_time), _CLOCK]
Name = Annotated[str, AfterValidator(checks.dns_name)]
Namespace = Annotated[str, AfterValidator(checks.dns_label)]
SignalName = Annotated[str, AfterValidator(checks.signal_name)]
LabelName = Annotated[str, AfterValidator(checks.label_name)]
Url = Annotated[str, AfterValidator(checks.url)]
File = Annotated[str, AfterValidator(checks.file_name)]
Selector = Annotated[str, AfterValidator(checks.selector)]
Expression = Annotated[str, AfterValidator(checks.expression)]
Matchers = Annotated[str, AfterValidator(checks.matchers)]
Pattern = Annotated[str, AfterValidator(checks.name_pattern)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
ModeName = Literal["observe", "approve", "automatic"]


class Part(BaseModel):
    """Every mapping of the document: unknown keys are mistakes, nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class Metadata(Part):
    """What the policy is called."""

    name: Name
    namespace: Namespace | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Labels(Part):
    """Which labels of the series name what."""

    namespace: LabelName = "namespace"
    pod: LabelName | Literal[""] = "pod"
    workload: LabelName = "deployment"


class Auth(Part):
    """How to authenticate: secrets come from files."""

    bearer_token_file: File | None = None
    username: Annotated[str, AfterValidator(checks.header_value)] | None = None
    password_file: File | None = None
    ca_file: File | None = None
    certificate_file: File | None = None
    key_file: File | None = None
    headers: dict[
        Annotated[str, AfterValidator(checks.header_name)], Annotated[str, AfterValidator(checks.header_value)]
    ] = {}


class Metrics(Part):
    """The Prometheus-compatible store."""

    address: Url
    scrape_interval: Duration = 15.0
    labels: Labels = Labels()
    match: Matchers = ""
    auth: Auth = Auth()


class WorkloadSelector(Part):
    """Workloads by their labels."""

    match_labels: Annotated[
        dict[str, Annotated[str, AfterValidator(checks.label_value)]], Field(min_length=1, max_length=32)
    ]


class WatchPart(Part):
    """Workloads to guard."""

    name: Name
    namespace: Namespace
    workloads: Annotated[list[Name], Field(min_length=1)] | None = None
    selector: WorkloadSelector | None = None
    mode: ModeName | None = None
    signals: Annotated[list[str], Field(min_length=1)] | None = None
    called_by: list[Name] = []
    team: str = ""


class LevelPart(Part):
    """A bound with its duration: `above`, or for a histogram one of the quantiles."""

    above: str | int | float | None = None
    p50: Duration | None = None
    p90: Duration | None = None
    p95: Duration | None = None
    p99: Duration | None = None
    p999: Duration | None = None
    for_: Duration = Field(alias="for")


def _one_or_many(value: object) -> str:
    return "many" if isinstance(value, list) else "one"


LevelParts = Annotated[
    Annotated[LevelPart, Tag("one")] | Annotated[list[LevelPart], Tag("many"), Field(min_length=1, max_length=8)],
    Discriminator(_one_or_many),
]


class Levels(Part):
    """Either of several bounds is enough for a level."""

    warning: LevelParts | None = None
    critical: LevelParts | None = None
    rollback: LevelParts | None = None


class SignalPart(Part):
    """What is watched."""

    kind: Literal["ratio", "histogram", "rate", "gauge", "event"]
    bad: Selector | None = None
    total: Selector | None = None
    buckets: Selector | None = None
    counter: Selector | None = None
    gauge: Expression | None = None
    limit: Expression | None = None
    rule: Literal["crashLoop", "imagePull", "progressDeadline", "migrationFailed"] | None = None
    required: bool | None = None
    scope: Literal["workload", "shared"] = "workload"
    per: Literal["workload", "pod"] = "workload"
    minimum_traffic: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    levels: Levels = Levels()


class Window(Part):
    """How long a rollout is guarded, and its phases."""

    automatic: Duration | None = None
    close: Duration | None = None
    startup: Duration | None = None
    stabilization: Duration | None = None


class Recovery(Part):
    """When a rollback has helped."""

    within: Duration | None = None
    for_: Duration | None = Field(default=None, alias="for")


class TimingPart(Part):
    """The loop's own durations."""

    tick: Duration | None = None
    slot: Duration | None = None
    lateness: Duration | None = None
    adopted_after: Duration | None = None
    plan_expiry: Duration | None = None
    recovery: Recovery = Recovery()
    approval_within: Duration | None = None
    repeat_notice: Duration | None = None
    clock_offset: Duration | None = None


class Fleet(Part):
    """The budget of automatic rollbacks of all units."""

    units: Count | None = None
    within: Duration | None = None


class LimitsPart(Part):
    """How often the guard acts by itself."""

    rollbacks: Count | None = None
    within: Duration | None = None
    fleet: Fleet = Fleet()


class MigrationPart(Part):
    """Migrations of the database: Jobs and bare pods by their names."""

    pattern: Annotated[
        Annotated[Pattern, Tag("one")] | Annotated[list[Pattern], Tag("many"), Field(min_length=1, max_length=16)],
        Discriminator(_one_or_many),
    ]
    interlock: Literal["proven", "marked", "off"] = "proven"
    on_failure: Literal["ask", "rollBack"] = "ask"


class Webhook(Part):
    """Every notice as JSON."""

    name: Name
    url: Url
    hmac_key_file: File | None = None


class Notify(Part):
    """Where notices go."""

    webhooks: list[Webhook] = []


class QuietPart(Part):
    """A time in which the guard pages instead of acting."""

    name: Name
    days: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Field(min_length=1)] | None = None
    from_: ClockTime = Field(alias="from")
    to: EndTime
    time_zone: Annotated[str, AfterValidator(checks.time_zone)] | None = None
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class LinksPart(Part):
    """Base addresses for the words of a notice."""

    dashboard: Url | None = None
    runbook: Url | None = None


class Spec(Part):
    """The policy proper."""

    preset: str | None = None
    mode: ModeName = "observe"
    cluster: str = ""
    time_zone: Annotated[str, AfterValidator(checks.time_zone)] = "UTC"
    metrics: Metrics
    watch: Annotated[list[WatchPart], Field(min_length=1)]
    signals: Annotated[dict[SignalName, SignalPart], Field(min_length=1)]
    window: Window = Window()
    timing: TimingPart = TimingPart()
    limits: LimitsPart = LimitsPart()
    on_timeout: Literal["hold", "rollBack"] = "hold"
    maintenance: Annotated[list[QuietPart], Field(max_length=64)] = []
    gitops: Annotated[Literal["hold", "ignore"], BeforeValidator(checks.not_yet("freeze", "hold or ignore"))] = "hold"
    helm: Literal["hold", "ignore"] = "hold"
    secrets: Literal["metadata", "none"] = "none"
    migration: MigrationPart | None = None
    shared: Literal["ask", "rollBack"] = "ask"
    notify: Notify = Notify()
    links: LinksPart = LinksPart()


class Document(Part):
    """A GuardPolicy."""

    api_version: Literal["rollguard.dev/v1alpha1"]
    kind: Literal["GuardPolicy"]
    metadata: Metadata
    spec: Spec


def schema() -> dict[str, Any]:
    """The JSON Schema of a policy; what a preset gives may be left out there."""
    made = Document.model_json_schema(by_alias=True)
    spec = made["$defs"]["Spec"]
    spec["required"] = [key for key in spec["required"] if key != "signals"]
    signal = made["$defs"]["SignalPart"]
    signal.pop("required", None)
    made["$defs"]["LevelPart"].pop("required", None)
    return made

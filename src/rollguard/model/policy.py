"""A policy as data: what to guard, by which signals and bounds, and how to answer. Text becomes this in `policy`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from rollguard.model.alerting import Category
from rollguard.model.channels import SLACK_DEPLOYMENTS, SLACK_INCIDENTS, SLACK_WARNINGS, SecretKey
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.operations import Operations


class Mode(StrEnum):
    """What the guard may do by itself, from the least to the most.

    While a rollout is under guard it may only become less; more counts from the next rollout.
    """

    OBSERVE = "observe"
    APPROVE = "approve"
    AUTOMATIC = "automatic"


class LevelName(StrEnum):
    """How bad a value is."""

    WARNING = "warning"
    CRITICAL = "critical"
    ROLLBACK = "rollback"


class SignalKind(StrEnum):
    """The five kinds of signal."""

    RATIO = "ratio"
    HISTOGRAM = "histogram"
    RATE = "rate"
    GAUGE = "gauge"
    EVENT = "event"


class EventRule(StrEnum):
    """The rules on cluster events that need no metrics."""

    CRASH_LOOP = "crashLoop"
    IMAGE_PULL = "imagePull"
    PROGRESS_DEADLINE = "progressDeadline"
    MIGRATION_FAILED = "migrationFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A bound with a duration. The value is past it when greater than `bound`."""

    name: LevelName
    bound: float
    """Ratio: a fraction. Histogram: seconds. Rate: per minute. Gauge: as the expression yields (a fraction
    where it is divided by a limit). Event: unused, 0."""
    seconds: float
    """How long: the window over which the value is pooled."""
    quantile: float | None = None
    """Histogram only: 0.95 means that more than 5% of the requests took longer than `bound`."""
    text: str = ""
    """As the policy writes it, for words: `P95 > 5s for 5m`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAlert:
    """An alert on one of a signal's levels."""

    name: str
    level: LevelName
    """Of an event, which has no bound to be past: the severity (critical, or warning), or rollback."""
    category: Category
    seconds: float
    """How long the rule must hold before it fires."""
    over: float
    """Seconds of the range that a rate, a share or a quantile is taken over."""
    after_rollout: bool = False
    """Only while a rollout is recent."""
    by_pod: bool = False
    """Gauge only: for each pod by itself."""
    whole: bool = False
    """Over all workloads of a namespace together: it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What is watched. The PromQL fields are vector selectors; empty where the kind does not use them."""

    name: str
    kind: SignalKind
    levels: tuple[Level, ...]
    required: bool
    shared: bool
    minimum_traffic: int
    """Requests in a level's window below which the level cannot be reached. 0 for rate, gauge, event."""
    bad: str = ""
    total: str = ""
    buckets: str = ""
    counter: str = ""
    gauge: str = ""
    limit: str = ""
    """Gauge only: what its value is divided by; no limit series = no signal for that pod."""
    rule: EventRule | None = None
    per_pod: bool = False
    """Rate only: the mean over the arm's pods; else their sum."""
    alerts: tuple[SignalAlert, ...] = ()
    """For the rules alone: the loop does not look at them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMember:
    """A pair of a release set: one Deployment of each colour, and the Service that chooses between them."""

    name: str
    service: str
    """Empty for a member without one (workers): its pods serve as soon as they run."""
    workloads: tuple[tuple[str, str], ...]
    """(colour, name of the Deployment), in the set's order of colours."""
    signals: tuple[str, ...] = ()
    """Names of the signals that apply to it; those of the watch where it names none."""

    def workload(self, colour: str) -> str:
        """The name of its Deployment of that colour. Raises KeyError for a colour that it does not have."""
        return dict(self.workloads)[colour]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSet:
    """Pairs that are switched, and go back, together."""

    name: str
    namespace: str
    selector_key: str
    """The label of the Services' selectors whose value names the colour that is live."""
    colours: tuple[str, ...]
    """Two."""
    members: tuple[SetMember, ...]
    """At most 6."""

    @property
    def workload(self) -> WorkloadName:
        """The set as what is guarded."""
        return WorkloadName(self.namespace, WorkloadKind.RELEASE_SET, self.name)

    @property
    def unit(self) -> UnitName:
        """The unit that guards it."""
        return UnitName.of_workload(self.workload)

    def other(self, colour: str) -> str:
        """The colour beside that one. Raises ValueError for a colour that the set does not have."""
        return self.colours[1 - self.colours.index(colour)]

    def deployment(self, member: SetMember, colour: str) -> WorkloadName:
        """The member's Deployment of that colour. Raises KeyError for a colour that it does not have."""
        return WorkloadName(self.namespace, WorkloadKind.DEPLOYMENT, member.workload(colour))

    def deployments(self) -> tuple[WorkloadName, ...]:
        """All its Deployments, by member and colour."""
        return tuple(self.deployment(member, colour) for member in self.members for colour in self.colours)

    def member_of(self, workload: str) -> tuple[SetMember, str] | None:
        """The member and the colour that a Deployment of that name is; None where it is none of the set's."""
        found = ((member, colour) for member in self.members for colour, name in member.workloads if name == workload)
        return next(found, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Which workloads are guarded, by name or by label selector, and how."""

    name: str
    namespace: str
    workloads: tuple[str, ...]
    selector: tuple[tuple[str, str], ...]
    mode: Mode
    signals: tuple[str, ...]
    """Names of the signals that apply; all where the policy names none."""
    called_by: tuple[str, ...]
    """Workloads that suffer when this one is bad: they never make it look like an outage."""
    team: str = ""
    own_mode: bool = False
    """The mode stands in the watch itself, it is not the policy's for all."""
    release_set: ReleaseSet | None = None
    """The set that it guards; None where it guards Deployments, each by itself."""
    colour_of: str = ""
    """The release set of which its one Deployment is a colour: it is only watched, `signals` are all that apply. Empty
    in a watch of the policy."""

    def uses(self, signal: str) -> bool:
        """Whether the signal of that name applies; to a release set, whether it does to one of its members."""
        if self.release_set is not None:
            return any(self.of_member(member).uses(signal) for member in self.release_set.members)
        return signal in self.signals if self.signals or self.colour_of else True

    def of_member(self, member: SetMember) -> Watch:
        """The watch as it applies to one member of its set: with that member's signals."""
        return replace(self, signals=member.signals or self.signals, release_set=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAccess:
    """How to authenticate. Files are read again when they change; values never appear in logs or errors."""

    bearer_token_file: str = ""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    """Fixed headers, such as a tenant's `X-Scope-OrgID`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsStore:
    """The Prometheus-compatible endpoint and the labels that its series carry."""

    address: str
    namespace_label: str
    pod_label: str
    workload_label: str
    match: str
    """Label matchers added to every selector (`cluster="eu"`), chooses one replica; may be empty."""
    auth: StoreAccess
    scrape_interval: float
    cluster_label: str = ""
    """Kept in what rules and panels yield; empty where the series carry none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """All durations in seconds. The defaults are design.md's; the lab scales them."""

    tick: float = 15.0
    slot: float = 15.0
    lateness: float = 20.0
    adopted_after: float = 86400.0
    automatic: float = 1800.0
    close: float = 7200.0
    startup: float = 300.0
    stabilization: float = 900.0
    plan_expiry: float = 900.0
    recovery_within: float = 600.0
    recovery_for: float = 120.0
    approval_within: float = 300.0
    repeat_notice: float = 3600.0
    respond_within: float = 300.0
    """So long after a page that calls for a person somebody has to acknowledge it; then others are told."""
    clock_offset_max: float = 30.0
    join_within: float = 120.0
    """So long after a release set's first switch further members join its rollout."""
    drain: float = 30.0
    """So long a colour that no Service names any more is left its connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often the guard may act by itself."""

    rollbacks: int = 2
    rollbacks_within: float = 3600.0
    fleet_units: int = 5
    fleet_within: float = 600.0


class OwnerRule(StrEnum):
    """What the guard does about a workload that another tool would set back."""

    HOLD = "hold"
    IGNORE = "ignore"


class SecretsAccess(StrEnum):
    """How far the guard looks at Secrets: never at their values."""

    NONE = "none"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """How the guard treats what others own."""

    gitops: OwnerRule = OwnerRule.HOLD
    helm: OwnerRule = OwnerRule.HOLD
    secrets: SecretsAccess = SecretsAccess.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietWindow:
    """A time of the day, on some days, in which the guard pages instead of acting."""

    name: str
    days: tuple[int, ...]
    """Weekdays on which it begins, 0 is Monday; every day where empty."""
    begin: int
    """Minutes after midnight, local time."""
    end: int
    """Minutes after midnight, up to 1440; of the next day where it is not after `begin`."""
    time_zone: str
    reason: str


class MigrationInterlock(StrEnum):
    """What lets the guard act alone where a migration ran since the revision that it would go back to was healthy."""

    PROVEN = "proven"
    """The mark, or the old revision that served healthily after the migration had ended."""
    MARKED = "marked"
    """The mark alone."""
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """How migrations of the database are recognised, and what follows from them."""

    patterns: tuple[str, ...]
    """Globs on the names of Jobs and bare pods: `prisma-migrate-*`."""
    interlock: MigrationInterlock = MigrationInterlock.PROVEN
    on_failure_roll_back: bool = False
    """Where one fails for a rollout: the workload goes back without asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChannel:
    """A generic webhook: every notice as JSON."""

    name: str
    url: str
    hmac_key_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """Where findings become tickets."""

    channel: WebhookChannel
    always: tuple[LevelName, ...] = ()
    """Levels whose findings become one without a word of a person; `critical` stands for `rollback` too."""

    def levels(self) -> frozenset[LevelName]:
        """The levels of findings that always become one."""
        more = {LevelName.ROLLBACK} if LevelName.CRITICAL in self.always else set()
        return frozenset(self.always) | more


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackChannels:
    """The channels of Slack by what goes there: names with their `#`, or ids."""

    deployments: str = "#deployments"
    warnings: str = "#deployment-warnings"
    incidents: str = "#production-incidents"
    api: str = "https://slack.com/api"

    def named(self, channel: str) -> str:
        """Which of them one of Slack's channels of notices is. KeyError for any other."""
        return {SLACK_DEPLOYMENTS: self.deployments, SLACK_WARNINGS: self.warnings, SLACK_INCIDENTS: self.incidents}[
            channel
        ]

    @property
    def post_message(self) -> str:
        """The address at which a bot writes."""
        return f"{self.api}/chat.postMessage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How PagerDuty is reached."""

    sender: str = ""
    """The e-mail address of a user there in whose name incidents are opened by the REST API; empty: by it none are."""
    api: str = "https://api.pagerduty.com"
    events: str = "https://events.pagerduty.com"


class MailTls(StrEnum):
    """How the way to the mail server is kept from others."""

    STARTTLS = "starttls"
    """Begun in the clear, then TLS before anything is said; a server that does not offer it gets no mail."""
    TLS = "tls"
    """From the first byte."""
    NONE = "none"
    """Not at all: without a user name and password, for they would be read on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChannel:
    """The mail server, from whom, and to whom mails go."""

    to: tuple[str, ...]
    """Who gets all of them."""
    sender: str
    host: str
    port: int = 587
    tls: MailTls = MailTls.STARTTLS
    ca_file: str = ""
    """Certificates that vouch for the server; those of the system where empty."""
    teams: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(team, who gets what is about its workloads besides), sorted."""

    def recipients(self, team: str) -> tuple[str, ...]:
        """Who gets what is about that team's workloads, each once."""
        own = dict(self.teams).get(team, ())
        known = {address.lower() for address in self.to}
        return (*self.to, *(address for address in own if address.lower() not in known))


class JournalKind(StrEnum):
    """What keeps the journal."""

    POSTGRES = "postgres"
    """Any number of guards may write to it; where it is, the Secret says."""
    SQLITE = "sqlite"
    """A file, for one guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPlace:
    """Where the copy of every rollout's story is kept for readers."""

    kind: JournalKind
    path: str = ""
    """Of SQLite's file; empty for PostgreSQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """What is the rules' alone."""

    labels: tuple[tuple[str, str], ...] = ()
    """Of PrometheusRule and ServiceMonitor: an operator of Prometheus selects by them."""
    lasting: tuple[tuple[str, float], ...] = ()
    """(alert, seconds) for alerts that belong to no signal: how long they must hold before they fire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Base addresses for the words of a notice; empty where there are none."""

    dashboard: str = ""
    runbook: str = ""

    def runbook_of(self, alert: str) -> str:
        """The page about an alert; empty where there are none."""
        return f"{self.runbook}/{alert}.md" if self.runbook else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The whole policy. `digest` identifies its text: a rollout keeps the policy that it began with."""

    name: str
    digest: str
    cluster: str
    time_zone: str
    metrics: MetricsStore
    watches: tuple[Watch, ...]
    signals: tuple[Signal, ...]
    timing: Timing
    limits: Limits
    on_timeout_roll_back: bool
    """What an unanswered request for approval does: roll back, or (default) hold."""
    webhooks: tuple[WebhookChannel, ...]
    links: Links
    maintenance: tuple[QuietWindow, ...] = ()
    owners: Owners = field(default_factory=Owners)
    migration: Migration | None = None
    """None where the policy names no migrations: then nobody looks for them."""
    alerting: Alerting = field(default_factory=Alerting)
    shared_roll_back: bool = False
    """A shared resource that broke with the rollout is acted upon, not only asked about."""
    operations: Operations = field(default_factory=Operations)
    """What only rendered pages and stores use."""
    slack: SlackChannels = field(default_factory=SlackChannels)
    paging: Paging = field(default_factory=Paging)
    email: EmailChannel | None = None
    """None where nobody is told by mail."""
    journal: JournalPlace | None = None
    """None where the log alone keeps every line."""
    notification_secrets: tuple[SecretKey, ...] = ()
    """The keys that the Secret for notices holds, sorted."""

    tickets: Tickets | None = None
    """None where the policy names no address for tickets: then there are none."""

    def signal_of_alert(self, name: str) -> str:
        """The signal that an alert of that name is about: the judge reads it itself. Empty for an alert of others."""
        return next((signal.name for signal in self.signals for alert in signal.alerts if alert.name == name), "")

    @property
    def takes_alerts(self) -> bool:
        """Whether the guard takes alerts: from nobody without a token."""
        return SecretKey.ALERTMANAGER_WEBHOOK_TOKEN in self.notification_secrets

    def release_sets(self) -> tuple[ReleaseSet, ...]:
        """The sets that its watches guard, in their order."""
        return tuple(watch.release_set for watch in self.watches if watch.release_set is not None)

    def namespaces(self) -> tuple[str, ...]:
        """The watched namespaces, sorted."""
        return tuple(sorted({watch.namespace for watch in self.watches}))

    def set_namespaces(self) -> tuple[str, ...]:
        """Those of them that have release sets, sorted."""
        return tuple(sorted({each.namespace for each in self.release_sets()}))

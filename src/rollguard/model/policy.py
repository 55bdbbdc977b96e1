"""A policy as data: what to guard, by which signals and bounds, and how to answer. Text becomes this in `policy`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from rollguard.model.channels import SecretKey
from rollguard.model.destinations import EmailChannel, JournalPlace, Paging, SlackChannels, Tickets, WebhookChannel
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.operations import Operations
from rollguard.model.signals import Signal


class Mode(StrEnum):
    """What the guard may do by itself, from the least to the most.

    While a rollout is under guard it may only become less; more counts from the next rollout.
    """

    OBSERVE = "observe"
    APPROVE = "approve"
    AUTOMATIC = "automatic"


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
    """A time of the day, on some days: in one of `maintenance` the guard pages instead of acting, in one of `quiet`
    warnings and information wait."""

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
    quiet: tuple[QuietWindow, ...] = ()
    """Quiet hours of the notices."""
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

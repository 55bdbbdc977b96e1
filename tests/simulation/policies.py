"""The policy of the simulated rollouts: real shapes, durations scaled to seconds so that a seed is cheap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rollguard.model.alerting import Category
from rollguard.model.destinations import WebhookChannel
from rollguard.model.policy import Limits, Links, MetricsStore, Mode, Policy, ReleaseSet, StoreAccess, Timing, Watch
from rollguard.model.signals import EventRule, Level, LevelName, Signal, SignalAlert, SignalKind

SCRAPE = 2.0
NAMESPACE = "production"
OWN_ALERT = "RollbackErrorRate"


def _levels(
    *bounds: tuple[LevelName, float], quantile: float | None = None, seconds: float = 15.0
) -> tuple[Level, ...]:
    return tuple(
        Level(name=name, bound=bound, seconds=seconds, quantile=quantile, text=f"> {bound:g} for {seconds:g}s")
        for name, bound in bounds
    )


SIGNALS = (
    Signal(
        name="error-rate",
        kind=SignalKind.RATIO,
        levels=_levels((LevelName.WARNING, 0.01), (LevelName.CRITICAL, 0.05), (LevelName.ROLLBACK, 0.10)),
        required=True,
        shared=False,
        minimum_traffic=20,
        bad='http_requests_total{status=~"5.."}',
        total="http_requests_total",
    ),
    Signal(
        name="response-time",
        kind=SignalKind.HISTOGRAM,
        levels=_levels((LevelName.CRITICAL, 2.0), (LevelName.ROLLBACK, 5.0), quantile=0.95),
        required=False,
        shared=False,
        minimum_traffic=20,
        buckets="http_request_duration_seconds_bucket",
    ),
    Signal(
        name="database-connection-errors",
        kind=SignalKind.RATE,
        levels=_levels((LevelName.ROLLBACK, 10.0)),
        required=False,
        shared=False,
        minimum_traffic=0,
        counter="database_connection_errors_total",
    ),
    Signal(
        name="crash-loop",
        kind=SignalKind.EVENT,
        levels=_levels((LevelName.ROLLBACK, 0.0), seconds=0.0),
        required=False,
        shared=False,
        minimum_traffic=0,
        rule=EventRule.CRASH_LOOP,
    ),
    Signal(
        name="image-pull",
        kind=SignalKind.EVENT,
        levels=_levels((LevelName.ROLLBACK, 0.0), seconds=0.0),
        required=False,
        shared=False,
        minimum_traffic=0,
        rule=EventRule.IMAGE_PULL,
    ),
)
JOB_FAILURES = Signal(
    name="job-failures",
    kind=SignalKind.RATIO,
    levels=_levels((LevelName.WARNING, 0.01), (LevelName.CRITICAL, 0.05), (LevelName.ROLLBACK, 0.10)),
    required=True,
    shared=False,
    minimum_traffic=20,
    bad="jobs_failed_total",
    total="jobs_completed_total",
)
"""Of the workers of a release set."""

TIMING = Timing(
    tick=5.0,
    slot=5.0,
    lateness=3.0,
    adopted_after=86400.0,
    automatic=75.0,
    close=150.0,
    startup=15.0,
    stabilization=40.0,
    plan_expiry=60.0,
    recovery_within=50.0,
    recovery_for=10.0,
    approval_within=30.0,
    repeat_notice=600.0,
    join_within=20.0,
    drain=6.0,
)


def in_mode(policy: Policy, mode: Mode, *, digest: str) -> Policy:
    """The policy, changed to that mode."""
    return replace(policy, watches=tuple(replace(watch, mode=mode) for watch in policy.watches), digest=digest)


def with_own_alert(policy: Policy) -> Policy:
    """The policy, with an alert about a signal that the judge reads itself."""
    own = SignalAlert(name=OWN_ALERT, level=LevelName.ROLLBACK, category=Category.DEPLOYMENT, seconds=15.0, over=15.0)
    first, *others = policy.signals
    return replace(policy, signals=(replace(first, alerts=(own,)), *others))


def policy(
    *,
    mode: Mode = Mode.AUTOMATIC,
    latency: bool = True,
    plan_expiry: float = TIMING.plan_expiry,
    release_set: ReleaseSet | None = None,
) -> Policy:
    """Guards the release set where there is one, else every Deployment of the namespace that says so by its label.

    `latency` is what costs most to judge.
    """
    watch = Watch(
        name="all",
        namespace=NAMESPACE,
        workloads=(),
        selector=(("guarded", "yes"),) if release_set is None else (),
        mode=mode,
        signals=(),
        called_by=(),
        release_set=release_set,
    )
    signals = SIGNALS if release_set is None else (*SIGNALS, JOB_FAILURES)
    store = MetricsStore(
        address="http://simulated",
        namespace_label="namespace",
        pod_label="pod",
        workload_label="deployment",
        match="",
        auth=StoreAccess(),
        scrape_interval=SCRAPE,
    )
    return Policy(
        name="simulated",
        digest="sha256:simulated",
        cluster="simulated",
        time_zone="UTC",
        metrics=store,
        watches=(watch,),
        signals=tuple(signal for signal in signals if latency or signal.kind is not SignalKind.HISTOGRAM),
        timing=replace(TIMING, plan_expiry=plan_expiry),
        limits=Limits(),
        on_timeout_roll_back=False,
        webhooks=(WebhookChannel(name="simulated", url="https://notices.invalid"),),
        links=Links(),
    )


def changes(policy: Policy, kind: str) -> Iterator[Policy | None]:
    """What people write one after the other: another policy that calls the same releases bad (None: one with
    mistakes), and then the first one again."""
    match kind:
        case "signals":
            signals = tuple(replace(signal, minimum_traffic=signal.minimum_traffic // 2) for signal in policy.signals)
            yield replace(policy, digest="sha256:signals", signals=signals)
        case "notices":
            yield replace(policy, digest="sha256:notices", timing=replace(policy.timing, repeat_notice=900.0))
        case _:
            yield None
    yield policy

"""The scenarios by which the platform's alerts are proven."""

from __future__ import annotations

from tests.contract.alert_scenarios import (
    A_MINUTE,
    HOME,
    LENGTH,
    LOOK,
    NAME,
    Play,
    Scenario,
    calm,
    colours,
    comes,
    condition_of,
    constant,
    deployment,
    grows,
    leading,
    native,
    rollout,
    series,
    story,
    stuck,
    traffic,
    turns,
    waits,
)

ERRORS = ("HighErrorRate warning", "HighErrorRate critical", "HighErrorRateOverall critical")
CRASHING = "PodCrashLooping critical", "RollbackCrashLoop critical"
FAILING = "JobFailuresHigh warning", "JobFailuresHigh critical"
STANDING = "RolloutStuck warning", "PodNotReady warning"
POD_1 = {"pod": "translation-abc-1", "container": "app"}


def told(name: str) -> Play:
    return {series(name, deployment=NAME, set=""): turns(0, 1)}


def replicas(**numbers: float) -> Play:
    return {series(f"kube_deployment_{name}", deployment=NAME): turns(2, to) for name, to in numbers.items()}


def without_classic() -> Play:
    """No bucket counts anything any more: the pods expose native histograms only."""
    return {key: "_x3" for key in traffic() if "_bucket" in key}


SCALED = replicas(spec_replicas=10, status_replicas=10, status_replicas_available=10, status_replicas_updated=10)
EVICTED: Play = {
    series("kube_pod_owner", pod="gone", owner_kind="ReplicaSet", owner_name="translation-abc"): comes(1),
    series("kube_pod_status_reason", pod="gone", reason="Evicted"): comes(1),
    series("kube_pod_status_phase", pod="gone", phase="Failed"): comes(1),
    series("kube_pod_status_ready", pod="gone", condition="false"): comes(1),
}
FAILED = {key: values for key, values in EVICTED.items() if "kube_pod_status_reason" not in key}
UNSCHEDULED: Play = {
    series("kube_pod_owner", pod="new", owner_kind="ReplicaSet", owner_name="translation-abc"): comes(1),
    series("kube_pod_status_phase", pod="new", phase="Pending"): comes(1),
}
OLD_FAILURE: Play = {
    series("kube_job_failed", job_name="prisma-migrate-1a2b", condition="true"): f"1 _x60 1+0x{LENGTH}",
}
EQUAL_BOUNDS = {series("kube_horizontalpodautoscaler_spec_min_replicas", horizontalpodautoscaler=NAME): constant(2)}
DEADLINE: Play = {
    series(
        "kube_deployment_status_condition",
        deployment=NAME,
        condition="Progressing",
        status="false",
        reason="ProgressDeadlineExceeded",
    ): turns(0, 1)
}
JOB = {series("kube_job_failed", job_name="prisma-migrate-1a2b", condition="true"): comes(1)}
BARE = {
    series("kube_pod_status_phase", pod="prisma-migrate-1a2b", phase="Failed"): comes(1),
    series("kube_pod_owner", pod="prisma-migrate-1a2b", owner_kind="", owner_name=""): comes(1),
}
OF_A_JOB = {
    series("kube_pod_status_phase", pod="prisma-migrate-1a2b-x", phase="Failed"): comes(1),
    series("kube_pod_owner", pod="prisma-migrate-1a2b-x", owner_kind="Job", owner_name="prisma-migrate-1a2b"): comes(1),
}


def memory(used: float, limit: float = 1000) -> Play:
    return {
        series("container_memory_usage_bytes", **POD_1): turns(500, used),
        series("container_spec_memory_limit_bytes", **POD_1): constant(limit),
    }


def cpu(share: float) -> Play:
    return {series("container_cpu_usage_seconds_total", **POD_1): grows(18, 60 * share)}


def database(used: float) -> Play:
    return {'pg_stat_database_numbackends{datname="dubbing_prod"}': turns(20, used)}


def servers(first: float, second: float, namespace: str = "databases") -> Play:
    """Two more database servers, each with its 100 connections, beside that of the platform."""
    found: Play = {}
    for number, used in enumerate((first, second)):
        own = f'namespace="{namespace}",instance="10.0.1.{number}:9187"'
        found[f'pg_stat_database_numbackends{{{own},datname="app"}}'] = turns(20, used)
        found[f"pg_settings_max_connections{{{own}}}"] = constant(100)
    return found


def refused(rate: float) -> Play:
    return {series("database_connection_errors_total", pod="translation-abc-1"): grows(0, rate)}


def restarts(rate: float) -> Play:
    return {
        series("kube_pod_container_status_restarts_total", pod=f"translation-abc-{n}", container="app"): grows(0, rate)
        for n in (1, 2)
    }


def restarted(times: int, ago: int) -> Play:
    """The last time so many minutes before it is looked at, each five minutes after the one before."""
    first = (LOOK - ago - 5 * (times - 1)) * A_MINUTE
    values = f"0+0x{first - 1} 1+0x{5 * A_MINUTE - 1} {times}+0x{LENGTH}"
    return {series("kube_pod_container_status_restarts_total", **POD_1): values}


def waiting(metric: str, value: float) -> Play:
    return {series(metric, pod="workers-1", queue="dub"): turns(10, value)}


def jobs(share: float) -> Play:
    """Of a hundred a minute, so many fail since the beginning."""
    name = {"pod": "translation-abc-1", "queue": "dub"}
    return {
        series("jobs_failed_total", **name): grows(0, 100 * share),
        series("job_duration_seconds_count", **name): grows(100, 100),
    }


def without_reasons() -> Play:
    """Conditions as an older kube-state-metrics has them: without the label, in the place of those with it."""
    name, labels = "kube_deployment_status_condition", {"deployment": NAME, "condition": "Progressing"}
    gone = {key: f"_x{LENGTH}" for play in (calm(), stuck()) for key in play if name in key}
    return {
        **gone,
        series(name, **labels, status="true"): constant(1),
        series(name, **labels, status="false"): constant(0),
    }


def large(errors: float) -> Play:
    """A Deployment with ten times the requests."""
    good, bad = grows(1200, 1200 - errors), grows(0, errors)
    name = {"pod": "large-abc-1", "deployment": "large"}
    return {
        **deployment("large"),
        series("http_requests_total", **name, status="200"): good,
        series("http_requests_total", **name, status="500"): bad,
    }


def small(number: int) -> Play:
    """A Deployment of which hardly anybody asks, and all in vain."""
    name = {"pod": f"small-{number}-abc-1", "deployment": f"small-{number}"}
    return {
        **deployment(f"small-{number}"),
        series("http_requests_total", **name, status="200"): grows(3, 0),
        series("http_requests_total", **name, status="500"): grows(0, 3),
    }


def gateway(errors: float) -> Play:
    """A pod by itself, which no Deployment owns."""
    return {
        series("http_requests_total", pod="gateway", status="200"): grows(120, 120 - errors),
        series("http_requests_total", pod="gateway", status="500"): grows(0, errors),
    }


QUIET = (
    story("all is well", ()),
    story("a healthy rollout", (), rollout()),
    story("an autoscaler adds replicas", (), SCALED, {key: turns(2, 10) for key in rollout() if "abc" in key}),
    story("hardly any request, and all fail", (), rollout(), traffic(share=1, rate=1)),
    story("a colour was switched away from", (), colours()),
    story("an evicted pod stays behind", (), EVICTED),
    story("a failed pod stays behind, for whatever reason", (), FAILED),
    story("a migration that failed long ago, and a gap in its series", (), OLD_FAILURE),
    story("an autoscaler without room", (), EQUAL_BOUNDS, {condition_of("ScalingLimited", "true"): turns(0, 1)}),
    story("no limit of memory", (), memory(990, limit=0)),
)
SERVING = (
    story("3% errors", ERRORS[:1], traffic(share=0.03)),
    story("8% errors", ERRORS, traffic(share=0.08)),
    story(
        "8% errors after a rollout", (*ERRORS, "ErrorRateSpikeAfterDeployment critical"), traffic(share=0.08), rollout()
    ),
    story(
        "8% errors after a switch that the guard tells",
        (*ERRORS, "ErrorRateSpikeAfterDeployment critical"),
        traffic(share=0.08),
        told("rollguard_rollout_active"),
    ),
    story("15% errors", (*ERRORS, "RollbackErrorRate critical"), traffic(share=0.15)),
    story("8% errors of a small Deployment beside a large one", ERRORS[:2], traffic(share=0.08), large(errors=0)),
    story("errors of what belongs to no Deployment", ERRORS[2:], gateway(errors=60)),
    story("errors of Deployments with too little traffic each", ERRORS[2:], traffic(rate=0.5), *map(small, range(20))),
    story("requests take a second", (), traffic(slow_from=1)),
    story(
        "requests take a second after a rollout", ("ResponseTimeDegradation warning",), traffic(slow_from=1), rollout()
    ),
    story("requests take 4 seconds", ("HighResponseTime critical",), traffic(slow_from=5)),
    story(
        "requests take 9 seconds", ("HighResponseTime critical", "RollbackResponseTime critical"), traffic(slow_from=10)
    ),
    story(
        "requests take 7 seconds, by native histograms",
        ("HighResponseTime critical", "RollbackResponseTime critical"),
        without_classic(),
        native(),
    ),
    story("no requests any more", ("SignalAbsent warning",), traffic(rate=0)),
)
CLUSTER = (
    story(
        "a crash loop",
        (*CRASHING, *STANDING, "TargetMissing warning"),
        stuck(),
        waits("CrashLoopBackOff"),
        {series("up", pod="translation-def-1", job="pods"): comes(0)},
    ),
    story("an image that is not there", ("ImagePullBackOff critical", *STANDING), stuck(), waits("ErrImagePull")),
    story("a progress deadline", ("DeploymentFailed critical", *STANDING), stuck(), DEADLINE),
    story("a migration's Job fails", ("DatabaseMigrationFailed critical",), JOB, OF_A_JOB),
    story("a migration's bare pod fails", ("DatabaseMigrationFailed critical",), BARE),
    story(
        "a replica is missing",
        ("DeploymentReplicasMismatch warning", "PodNotReady warning"),
        replicas(status_replicas_available=1),
        {series("kube_pod_status_ready", pod="translation-abc-1", condition="false"): turns(0, 1)},
    ),
    story(
        "a replica is missing, by an older kube-state-metrics",
        ("DeploymentReplicasMismatch warning", "PodNotReady warning"),
        replicas(status_replicas_available=1),
        {series("kube_pod_status_ready", pod="translation-abc-1", condition="false"): turns(0, 1)},
        without_reasons(),
    ),
    story("a rollout does not move, by an older kube-state-metrics", STANDING, stuck(), without_reasons()),
    story("a pod that finds no node", ("PodNotReady warning",), UNSCHEDULED),
    story("a pod restarts once", (), restarted(1, ago=10)),
    story("a pod restarts twice, five minutes apart", ("PodRestarts warning",), restarted(2, ago=8)),
    story("a pod restarts every four minutes", ("PodRestarts warning",), restarts(0.25)),
    story("a pod restarts every minute", ("PodRestarts warning", "PodRestarts critical"), restarts(1)),
    story(
        "a target is down", ("TargetMissing warning",), {series("up", pod="translation-abc-1", job="pods"): turns(1, 0)}
    ),
    story(
        "an autoscaler at its maximum",
        ("AutoscalerAtMaximum warning",),
        {condition_of("ScalingLimited", "true"): turns(0, 1)},
    ),
    story(
        "an autoscaler that cannot",
        ("AutoscalerUnableToScale warning",),
        {condition_of("AbleToScale", "false"): turns(0, 1)},
    ),
    story(
        "an autoscaler without metrics",
        ("AutoscalerMetricsMissing warning",),
        {condition_of("ScalingActive", "false"): turns(0, 1)},
    ),
    story(
        "an autoscaler of a colour at 0",
        (),
        {condition_of("ScalingActive", "false"): turns(0, 1)},
        replicas(spec_replicas=0, status_replicas=0, status_replicas_available=0, status_replicas_updated=0),
    ),
)
RESOURCES = (
    story("80% of the memory", ("HighMemoryUsage warning",), memory(800)),
    story(
        "80% of the memory after a rollout",
        ("HighMemoryUsage warning", "HighMemoryAfterDeployment warning"),
        memory(800),
        rollout(),
    ),
    story("95% of the memory", ("HighMemoryUsage warning", "HighMemoryUsage critical"), memory(950)),
    story("80% of the CPU", ("HighCPUUsage warning",), cpu(0.8)),
    story("95% of the CPU", ("HighCPUUsage warning", "HighCPUUsage critical"), cpu(0.95)),
    story("85% of the connections", ("DatabaseConnectionsHigh warning",), database(85)),
    story(
        "97% of the connections", ("DatabaseConnectionsHigh warning", "DatabaseConnectionsHigh critical"), database(97)
    ),
    story("85% of the connections of one of two servers", ("DatabaseConnectionsHigh warning",), servers(85, 20)),
    story(
        "97% of the connections of a server in another namespace",
        ("DatabaseConnectionsHigh warning", "DatabaseConnectionsHigh critical"),
        servers(20, 97, namespace="elsewhere"),
    ),
    story("2 refused connections a minute", ("DatabaseConnectionErrors critical",), refused(2)),
    story(
        "20 refused connections a minute",
        ("DatabaseConnectionErrors critical", "RollbackDatabaseConnections critical"),
        refused(20),
    ),
    story("300 jobs wait", ("QueueDepthHigh warning",), waiting("queue_depth", 300)),
    story("1500 jobs wait", ("QueueDepthHigh warning", "QueueDepthHigh critical"), waiting("queue_depth", 1500)),
    story("a job waits 15 minutes", ("OldestJobHigh warning",), waiting("queue_oldest_job_seconds", 900)),
    story(
        "a job waits an hour",
        ("OldestJobHigh warning", "OldestJobHigh critical"),
        waiting("queue_oldest_job_seconds", 3600),
    ),
    story("3% of the jobs fail", FAILING[:1], jobs(0.03)),
    story("8% of the jobs fail", FAILING, jobs(0.08)),
    story("20% of the jobs fail", (*FAILING, "RollbackJobFailures critical"), jobs(0.2)),
)
GUARD = (
    story("no guard", ("GuardDown critical",), {leading(HOME): turns(1, 0)}),
    story("the guard is blind", ("GuardBlind critical",), told("rollguard_blind")),
    story("a hold waits", ("GuardHeld critical",), told("rollguard_hold_unanswered")),
    story("a rollback is stalled", ("GuardRollbackStalled critical",), told("rollguard_rollback_stalled")),
    story("an incident is open", ("GuardIncidentOpen none",), told("rollguard_incident_open")),
)
STORIES: tuple[Scenario, ...] = (*QUIET, *SERVING, *CLUSTER, *RESOURCES, *GUARD)

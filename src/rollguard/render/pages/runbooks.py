"""A page per alert: meaning, impact, diagnosis, mitigation, when to roll back."""

from __future__ import annotations

from rollguard.model.policy import Policy
from rollguard.model.signals import EventRule, Signal
from rollguard.policy import durations
from rollguard.render.alerts.alert import Alert
from rollguard.render.file import File
from rollguard.render.pages import commands, rolling_back
from rollguard.render.pages.text import code, filled, packaged, table
from rollguard.render.places import address

FOLDER = "runbooks"
INTRODUCTION = (
    "A page per alert. Bounds and durations are those of the policy `{name}`: change it there, and render anew."
)
TOPICS = {
    "HighErrorRate": "errors",
    "ErrorRateSpikeAfterDeployment": "errors",
    "RollbackErrorRate": "errors",
    "HighResponseTime": "latency",
    "ResponseTimeDegradation": "latency",
    "RollbackResponseTime": "latency",
    "PodCrashLooping": "crash-loop",
    "RollbackCrashLoop": "crash-loop",
    "PodRestarts": "crash-loop",
    "ImagePullBackOff": "image-pull",
    "DeploymentFailed": "progress",
    "RolloutStuck": "progress",
    "DatabaseMigrationFailed": "migration",
    "DeploymentReplicasMismatch": "replicas",
    "PodNotReady": "not-ready",
    "HighMemoryUsage": "memory",
    "HighMemoryAfterDeployment": "memory",
    "HighCPUUsage": "cpu",
    "DatabaseConnectionsHigh": "database",
    "DatabaseConnectionErrors": "database",
    "RollbackDatabaseConnections": "database",
    "AutoscalerAtMaximum": "autoscaler",
    "AutoscalerUnableToScale": "autoscaler",
    "AutoscalerMetricsMissing": "autoscaler",
    "SignalAbsent": "signal-absent",
    "TargetMissing": "target-missing",
    "GuardDown": "guard-down",
    "GuardBlind": "guard-blind",
    "GuardHeld": "guard-held",
    "GuardRollbackStalled": "guard-stalled",
    "GuardIncidentOpen": "guard-incident",
    "GuardJournalUnreached": "guard-journal",
    "MetricsCompactorHalted": "compactor",
}
"""What a page says beyond the rule itself, by the alert's name. Others go by the kind of their signal."""
RULES = {
    EventRule.CRASH_LOOP: "crash-loop",
    EventRule.IMAGE_PULL: "image-pull",
    EventRule.PROGRESS_DEADLINE: "progress",
    EventRule.MIGRATION_FAILED: "migration",
}


def runbooks(policy: Policy, alerts: tuple[Alert, ...], guard: str) -> tuple[File, ...]:
    """A page for each name among the alerts, and a list of them; `guard` is the guard's namespace."""
    by_name: dict[str, list[Alert]] = {}
    for each in alerts:
        by_name.setdefault(each.name, []).append(each)
    pages = tuple(
        File(path=f"{FOLDER}/{name}.md", text=_page(policy, tuple(found), guard)) for name, found in by_name.items()
    )
    return (*pages, _index(policy, by_name))


def _page(policy: Policy, alerts: tuple[Alert, ...], guard: str) -> str:
    first = alerts[0]
    names = {each.signal for each in alerts}
    about = first.signal if len(names) == 1 else ""
    signal = next((each for each in policy.signals if each.name == first.signal), None)
    topic = packaged("topics", f"{topic_of(first.name, signal)}.md")
    values = commands.values(policy, guard, about)
    values["rollback"] = f"{rolling_back.by_itself(policy)}\n\nBy hand:\n\n{rolling_back.ordered(guard, first.name)}"
    body = filled(topic, values)
    given = commands.variables(body, policy, about, deployment=first.deployment)
    if given:
        body = body.replace("## Diagnosis\n", f"## Diagnosis\n\nFirst, for all commands below:\n\n{given}\n", 1)
    parts = (f"# {first.name}", _meaning(alerts), _seen(policy, alerts), body.strip())
    return "\n\n".join(part for part in parts if part) + "\n"


def topic_of(name: str, signal: Signal | None) -> str:
    """Which of the package's texts an alert's page is made from."""
    if name in TOPICS:
        return TOPICS[name]
    if signal is None:
        raise KeyError(name)
    return RULES[signal.rule] if signal.rule else signal.kind.value


def _meaning(alerts: tuple[Alert, ...]) -> str:
    rows = [
        (
            each.severity.value,
            each.category.value,
            each.bound_text or each.summary,
            durations.format_(each.for_seconds),
            "`rollback`: the guard hears of it" if dict(each.labels).get("rollguard_action") else "",
        )
        for each in alerts
    ]
    said = "\n\n".join(dict.fromkeys(each.meaning for each in alerts))
    rules = "\n\n".join(code("promql", each.expr) for each in alerts)
    looked_at = dict.fromkeys(each.value for each in alerts if each.value)
    values = f"The value now:\n\n{code('promql', *looked_at)}" if looked_at else ""
    head = ("severity", "category", "fires when", "for", "action")
    parts = ("## Meaning", said, table(head, rows), values, f"The rule:\n\n{rules}")
    return "\n\n".join(part for part in parts if part)


def _seen(policy: Policy, alerts: tuple[Alert, ...]) -> str:
    """Where it shows; the alert itself links its panel."""
    links = tuple(dict.fromkeys(address(each.panel.board, policy.links) for each in alerts))
    if not policy.links.dashboard:
        return ""
    return f"Dashboard: {', '.join(f'<{link}>' for link in links)}; the alert links the panel about it."


def _index(policy: Policy, by_name: dict[str, list[Alert]]) -> File:
    rows = [
        (
            f"[{name}]({name}.md)",
            " and ".join(dict.fromkeys(each.severity.value for each in found)),
            "; ".join(dict.fromkeys(each.summary for each in found)),
        )
        for name, found in by_name.items()
    ]
    text = f"# Runbooks\n\n{INTRODUCTION.format(name=policy.name)}\n\n{table(('alert', 'severity', 'what'), rows)}\n"
    return File(path=f"{FOLDER}/README.md", text=text)

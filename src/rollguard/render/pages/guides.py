"""The operators' guides: how to release, what is in production, what is normal."""

from __future__ import annotations

from collections.abc import Callable

from rollguard.model.policy import Policy
from rollguard.render.alerts.alert import Alert
from rollguard.render.file import File
from rollguard.render.pages import commands, describing, rolling_back
from rollguard.render.pages.names import examples
from rollguard.render.pages.runbooks import FOLDER
from rollguard.render.pages.text import code, filled, packaged, some, table
from rollguard.render.pages.trouble import TROUBLES


def guides(policy: Policy, alerts: tuple[Alert, ...], guard: str) -> tuple[File, ...]:
    """The three guides; `guard` is the guard's namespace."""
    pages: tuple[tuple[str, str, Callable[[], dict[str, str]]], ...] = (
        ("DEPLOYMENT_RUNBOOK.md", "deployment.md", lambda: _deployment(policy, alerts, guard)),
        ("PRODUCTION_ENVIRONMENT.md", "production.md", lambda: _production(policy, guard)),
        ("NORMAL_RANGES.md", "ranges.md", lambda: _ranges(policy)),
    )
    return tuple(File(path=path, text=filled(packaged("guides", name), values())) for path, name, values in pages)


def _deployment(policy: Policy, alerts: tuple[Alert, ...], guard: str) -> dict[str, str]:
    first = examples(policy)[0]
    found = commands.values(policy, guard)
    tools = policy.operations.runbooks.tools
    by_hand = rolling_back.ordered(guard, "why, in a few words")
    link = policy.links.dashboard
    return {
        **found,
        "policy": policy.name,
        "elsewhere": "See also [production environment](PRODUCTION_ENVIRONMENT.md), [normal ranges](NORMAL_RANGES.md)"
        f" and the [runbooks of all alerts]({FOLDER}/README.md).",
        "contacts": describing.contacts(policy),
        "dashboards": ", ".join([*([f"<{link}>"] if link else []), *(f"[{each.name}]({each.url})" for each in tools)])
        or "the policy names none (`links.dashboard`).",
        "dry_runs": "\n".join(
            some(f'rollguard rollback {name} --dry-run --reason "is there a way back"' for name in _units(policy))
        ),
        "migrations": "after one, the guard goes back by itself only where that is proven or marked to be safe.",
        "releasing": _releasing(policy),
        "phases": describing.phases(policy),
        "after": _after(policy),
        "values": describing.signals(policy),
        "listings": "\n".join(f"kubectl -n {namespace} get deployments,pods" for namespace in policy.namespaces()),
        "errors": "\n".join(_errors(policy)),
        "tools_clean": f"Nothing new in {', '.join(each.name for each in tools)}." if tools else "",
        "by_itself": rolling_back.by_itself(policy),
        "variables": code("sh", f"NAMESPACE={first.namespace}", f"DEPLOYMENT={first.deployment}"),
        "by_hand": by_hand,
        "trouble": _trouble(alerts),
    }


def _units(policy: Policy) -> tuple[str, ...]:
    """Every unit by the name that commands take."""
    return tuple(
        name
        for watch in policy.watches
        for name in (
            [f"{watch.namespace}/{watch.release_set.name}"]
            if watch.release_set
            else [f"{watch.namespace}/{each}" for each in watch.workloads]
        )
    )


def _releasing(policy: Policy) -> str:
    parts = []
    for each in policy.release_sets():
        idle = each.colours[1]
        grown = [
            f"kubectl -n {each.namespace} scale deployment/{m.workload(idle)} --current-replicas=0 --replicas=1"
            for m in each.members
        ]
        images = [_new_image(each.namespace, member.workload(idle), member.name) for member in each.members]
        waits = [f"rollguard wait {each.namespace}/{m.workload(idle)}" for m in each.members if m.service]
        lines = (
            *images,
            "# only a colour without pods takes these: its autoscaler sleeps at 0, and goes on from 1",
            *grown,
            *waits,
            f"rollguard switch {each.namespace}/{each.name} --to {idle} --dry-run",
            f"rollguard switch {each.namespace}/{each.name} --to {idle}",
            f"rollguard wait {each.namespace}/{each.name}",
        )
        which = f"with `{idle}` as the idle colour (`rollguard status` says which one is live)"
        parts.append(f"The release set `{each.name}`, {which}:\n\n{code('sh', *lines)}")
    lone = [watch for watch in policy.watches if watch.release_set is None and watch.workloads]
    if lone:
        name, namespace = lone[0].workloads[0], lone[0].namespace
        lines = (
            _new_image(namespace, name, name),
            f"rollguard wait {namespace}/{name}",
        )
        parts.append(f"A rolling update, here of `{name}`:\n\n{code('sh', *lines)}")
    parts.append(
        "`rollguard wait` ends with 0 for healthy, 1 for bad or taken back, 2 for held or undecided, 3 for an error."
    )
    return "\n\n".join(parts)


def _new_image(namespace: str, deployment: str, name: str) -> str:
    image = f"'*=registry.example.com/{name}:VERSION'"
    return f"kubectl -n {namespace} set image deployment/{deployment} {image}"


def _after(policy: Policy) -> str:
    runbooks = policy.operations.runbooks
    lines = [*(f"curl --fail --silent --show-error {each}" for each in runbooks.probes)]
    lines += [runbooks.smoke] if runbooks.smoke else []
    if not lines:
        return "The values that must be normal:"
    return f"{code('sh', *lines)}\n\nThe values that must be normal:"


def _errors(policy: Policy) -> list[str]:
    label = policy.operations.runbooks.pod_label
    lines = [
        f"kubectl -n {each.namespace} logs "
        + (f"-l {label}={each.app}" if label else commands.of_deployment(each.namespace, each.deployment))
        + f" {commands.ALL_LINES} --since=15m | grep ERROR"
        for each in examples(policy)
    ]
    return some(dict.fromkeys(lines))


def _trouble(alerts: tuple[Alert, ...]) -> str:
    rows = []
    for each in TROUBLES:
        found = [alert for alert in alerts if alert.name == each.alert]
        if found:
            rows.append((found[-1].summary, f"{each.look}: [{each.alert}]({FOLDER}/{each.alert}.md)", each.resolution))
    return table(("symptom", "look", "resolution"), rows)


def _production(policy: Policy, guard: str) -> dict[str, str]:
    return {
        "policy": policy.name,
        "cluster": f"`{policy.cluster}`" if policy.cluster else "not named",
        "time_zone": policy.time_zone,
        "sets": describing.sets(policy),
        "workloads": describing.workloads(policy),
        "databases": describing.databases(policy),
        "channels": describing.channels(policy) + "\n\nContacts:\n\n" + describing.contacts(policy),
        "guarding": describing.guarding(policy, guard),
        "metrics": describing.metrics(policy),
        "places": describing.places(policy),
    }


def _ranges(policy: Policy) -> dict[str, str]:
    return {
        "policy": policy.name,
        "signals": describing.signals(policy),
        "applied": describing.applied(policy),
        "sources": describing.sources(policy),
    }

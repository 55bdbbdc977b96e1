"""The commands of the pages, with a policy's names in them: what `{{logs}}` and the like stand for."""

from __future__ import annotations

from rollguard.model.operations import Database
from rollguard.model.policy import Policy
from rollguard.model.signals import Signal
from rollguard.policy import durations
from rollguard.render.deployment import SELECTOR
from rollguard.render.pages.names import Example, examples
from rollguard.render.pages.text import code

ALL_LINES = "--all-containers --prefix --tail=-1"
"""Without a tail, `kubectl logs -l` shows ten lines of each pod."""
ACTIVITY = "SELECT count(*) FROM pg_stat_activity;"
CONNECTIONS = (
    "SELECT usename, application_name, state, count(*), max(now() - state_change) AS longest"
    " FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 20;"
)
SLOW_QUERIES = "SELECT query, mean_exec_time, calls FROM pg_stat_statements ORDER BY mean_exec_time DESC LIMIT 10;"
MIGRATIONS = (
    "SELECT migration_name, started_at, finished_at, logs FROM _prisma_migrations ORDER BY started_at DESC LIMIT 5;"
)
LOCKS = (
    "SELECT pid, pg_blocking_pids(pid), state, left(query, 80) FROM pg_stat_activity"
    " WHERE cardinality(pg_blocking_pids(pid)) > 0;"
)
IDS = "SELECT pid, usename, state, state_change FROM pg_stat_activity WHERE state LIKE 'idle in%' ORDER BY 4 LIMIT 20;"


def values(policy: Policy, guard: str, signal: str = "") -> dict[str, str]:
    """What the places in a page stand for; `signal` is the one that the page is about, if any."""
    here = examples(policy, signal)
    first = here[0]
    runbooks = policy.operations.runbooks
    logs = f'kubectl -n "$NAMESPACE" logs {_pods(policy)} {ALL_LINES}'
    return {
        "guard": guard,
        "guard_pods": SELECTOR,
        "namespace": first.namespace,
        "response": durations.format_(policy.timing.respond_within),
        "pods": _listing(policy, first),
        "pod": _one_pod(policy),
        "logs": logs if runbooks.pod_label else f'kubectl -n "$NAMESPACE" logs {_all_of_one()}',
        "logs_any": _logs_of(policy, here),
        "tools": _tools(policy),
        "sources": _sources(policy, signal),
        "database_from_pods": _from_pods(runbooks.databases),
        "cache_from_pods": code(
            "sh",
            *(
                f'kubectl -n "$NAMESPACE" exec "deployment/$DEPLOYMENT" -- redis-cli -h {host} ping'
                for host in runbooks.caches
            ),
        ),
        "connections": _in_database(runbooks.databases, CONNECTIONS, IDS),
        "slow_queries": _in_database(runbooks.databases, SLOW_QUERIES, ACTIVITY),
        "migrations_known": _in_database(runbooks.databases, MIGRATIONS),
        "locks": _in_database(runbooks.databases, LOCKS),
        "migration_grep": "|".join(_grep(each) for each in (policy.migration.patterns if policy.migration else ())),
    }


def variables(page: str, policy: Policy, signal: str, *, deployment: bool) -> str:
    """The shell's variables that the commands of a page use, to be set first; `deployment`: whether the alert names
    one."""
    first = examples(policy, signal)[0]
    label = policy.operations.runbooks.pod_label
    which = "the alert's label `deployment`" if deployment else "one that has to do with it"
    spaces = {each.namespace for each in examples(policy)}
    given = (
        ("NAMESPACE", first.namespace, "the alert's label `namespace`" if len(spaces) > 1 else ""),
        ("DEPLOYMENT", first.deployment, which),
        ("APP", first.app, f"the label `{label}` of its pods"),
    )
    lines = [f"{name}={value}" + (f"  # {note}" if note else "") for name, value, note in given if f"${name}" in page]
    return code("sh", *lines)


def _pods(policy: Policy) -> str:
    label = policy.operations.runbooks.pod_label
    return f'-l "{label}=$APP"' if label else ""


def _listing(policy: Policy, example: Example) -> str:
    colour = f" -L {example.colour_label}" if example.colour_label else ""
    return " ".join(f'kubectl -n "$NAMESPACE" get pods {_pods(policy)} -o wide{colour}'.split())


def _one_pod(policy: Policy) -> str:
    """The name of the pod whose first container restarted most."""
    chosen = f"{_pods(policy)} --sort-by='.status.containerStatuses[0].restartCount'".strip()
    get = f'kubectl -n "$NAMESPACE" get pods {chosen}'
    return f"$({get} -o jsonpath='{{.items[-1:].metadata.name}}')  # restarted most; or another"


def of_deployment(namespace: str, deployment: str) -> str:
    """The choice of a Deployment's pods, by the labels that it selects them by: `kubectl logs` of the Deployment itself
    shows one of them, and not every kubectl knows `--all-pods`."""
    get = f"kubectl -n {namespace} get deployment {deployment} -o jsonpath='{{.spec.selector.matchLabels}}'"
    return f"""-l "$({get} | tr -d '{{}}"' | tr : =)\""""


def _all_of_one() -> str:
    chosen = of_deployment('"$NAMESPACE"', '"$DEPLOYMENT"')
    return f"{chosen} {ALL_LINES}"


def _logs_of(policy: Policy, here: tuple[Example, ...]) -> str:
    label = policy.operations.runbooks.pod_label
    if not label:
        return f'kubectl -n "$NAMESPACE" logs {_all_of_one()}'
    apps = ", ".join(dict.fromkeys(each.app for each in here))
    return f'kubectl -n "$NAMESPACE" logs -l "{label} in ({apps})" {ALL_LINES}'


def _tools(policy: Policy) -> str:
    tools = policy.operations.runbooks.tools
    return f"Elsewhere: {', '.join(f'[{each.name}]({each.url})' for each in tools)}." if tools else ""


def _from_pods(databases: tuple[Database, ...]) -> str:
    lines = tuple(
        f'kubectl -n "$NAMESPACE" exec "deployment/$DEPLOYMENT" -- '
        f'sh -c \'psql "${{{each.variable}%%\\?*}}" -c "{ACTIVITY}"\''
        for each in databases
    )
    return code("sh", *(("# without Prisma's `?schema=...`, which psql does not know", *lines) if lines else ()))


def _in_database(databases: tuple[Database, ...], *queries: str) -> str:
    lines = tuple(
        f'kubectl -n "$NAMESPACE" exec {each.pod} -- psql -U {each.user} -d {each.name} -c "{query}"'
        for each in databases
        for query in queries
    )
    return code("sh", *lines)


def _grep(glob: str) -> str:
    return glob.strip("*").replace(".", "[.]").replace("?", ".").replace("*", ".*")


def _sources(policy: Policy, name: str) -> str:
    """What a signal is counted from, by namespace; of all required ones without a name."""
    chosen = [each for each in policy.signals if each.name == name or (not name and each.required)]
    by = policy.metrics.namespace_label
    lines = [f"count by ({by}) ({selector})" for each in chosen for selector in series(each)]
    return code("promql", *dict.fromkeys(lines))


def series(signal: Signal) -> tuple[str, ...]:
    """The PromQL of what a signal is counted from; nothing for an event."""
    return tuple(
        each for each in (signal.bad, signal.total, signal.buckets, signal.counter, signal.gauge, signal.limit) if each
    )

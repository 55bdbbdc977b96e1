"""A policy in words and tables, for the guides."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.model.channels import SecretKey
from rollguard.model.destinations import JournalKind
from rollguard.model.policy import Policy, Watch
from rollguard.model.signals import LevelName, Signal, SignalKind
from rollguard.policy import durations
from rollguard.render.pages.commands import series
from rollguard.render.pages.text import listed, spoken, table

UNITS = {
    SignalKind.RATIO: "share of all",
    SignalKind.HISTOGRAM: "time of requests",
    SignalKind.RATE: "per minute",
    SignalKind.GAUGE: "value",
    SignalKind.EVENT: "event",
}
DAY = 86400.0


def contacts(policy: Policy) -> str:
    """Whom to reach, or that the policy says nothing of it."""
    rows = [(each.who, each.reach, each.about) for each in policy.operations.contacts]
    return table(("who", "how", "for"), rows) if rows else "The policy names none (`contacts`)."


def channels(policy: Policy) -> str:
    """What goes where: the channels of people, then those of machines."""
    slack = policy.slack
    rows = [
        (f"`{slack.deployments}`", "all notices of deployments"),
        (f"`{slack.warnings}`", "warnings"),
        (f"`{slack.incidents}`", "critical alerts and incidents"),
        *_of_teams(policy),
        ("PagerDuty", _paged(policy)),
        *_mails(policy),
        *((f"webhook `{each.name}`", "every notice as JSON") for each in policy.webhooks),
    ]
    if policy.tickets is not None:
        levels = spoken(f"`{level.value}`" for level in policy.tickets.always)
        rows.append(("tickets", "findings that a person makes one of" + f"; those of {levels} always" * bool(levels)))
    if policy.journal is not None:
        where = {JournalKind.POSTGRES: "PostgreSQL", JournalKind.SQLITE: f"the file `{policy.journal.path}`"}
        rows.append((f"journal, in {where[policy.journal.kind]}", "a copy of every rollout's story, for readers"))
    return table(("channel", "what goes there"), rows)


def _of_teams(policy: Policy) -> Iterator[tuple[str, str]]:
    for team in policy.slack.teams:
        for name, what in (
            (team.deployments, f"all notices about the workloads of {team.team}, in place of the first above"),
            (team.warnings, f"warnings about the workloads of {team.team}, in place of the second above"),
            (team.incidents, f"pages about the workloads of {team.team}, as well as to the third above"),
        ):
            if name:
                yield f"`{name}`", what


def _paged(policy: Policy) -> str:
    if SecretKey.PAGERDUTY_ROUTING_KEY in policy.notification_secrets:
        return "critical alerts of deployments"
    return f"nothing from Alertmanager: `notify.secrets` has no `{SecretKey.PAGERDUTY_ROUTING_KEY}`"


def _mails(policy: Policy) -> Iterator[tuple[str, str]]:
    if policy.email is None:
        return
    yield f"e-mail to {spoken(policy.email.to)}", "a summary when a rollout ends; pages that nothing else took"
    for team, addresses in policy.email.teams:
        yield f"e-mail to {spoken(addresses)}", f"the same about the workloads of {team}"


def signals(policy: Policy) -> str:
    """The bounds of every signal."""
    head = ("signal", "what", "normal", "warning", "critical", "rollback")
    return table(head, [(f"`{each.name}`", _what(each), normal(each), *_levels(each)) for each in policy.signals])


def normal(signal: Signal) -> str:
    """What is inside all bounds of a signal: `≤ 1%`, `P95 ≤ 500ms, P99 ≤ 2s`; of an event that there is none."""
    if signal.kind is SignalKind.EVENT:
        return "none"
    mildest = signal.levels[0].name
    firsts = [level for level in signal.levels if level.name is mildest]
    return ", ".join(level.text.split(" for ")[0].replace(">", "≤") for level in firsts)


def applied(policy: Policy) -> str:
    """Which signals each workload and member has."""
    rows = []
    for watch in policy.watches:
        for name, used in _users(watch):
            names = [each.name for each in policy.signals if used.uses(each.name)]
            rows.append((f"{watch.namespace}/{name}", ", ".join(f"`{each}`" for each in names)))
    return table(("what", "signals"), rows)


def sources(policy: Policy) -> str:
    """The series of every signal."""
    rows = [(f"`{each.name}`", " and ".join(f"`{one}`" for one in series(each))) for each in policy.signals]
    return table(("signal", "series"), [row for row in rows if row[1]])


def phases(policy: Policy) -> str:
    """What to look at, and when."""
    timing = policy.timing
    ends = [durations.format_(each) for each in (timing.startup, timing.stabilization, timing.automatic, timing.close)]
    rows = (
        ("startup", f"0 to {ends[0]}", "pods start, probes pass, requests and limits are enough"),
        ("stabilization", f"{ends[0]} to {ends[1]}", "errors, response times, connections to the database, memory"),
        (
            "validation",
            f"{ends[1]} to {ends[2]}",
            "compared with before: `rollguard why`; slow worsening, autoscaling, queues",
        ),
        ("steady", f"from {ends[2]}", f"as always; until {ends[3]} the guard asks where it would have gone back"),
    )
    return table(("phase", "when", "look at"), rows)


def sets(policy: Policy) -> str:
    """The release sets with their members."""
    parts = []
    for each in policy.release_sets():
        head = ("member", "Service", *each.colours)
        rows = [
            (m.name, m.service or "none: its pods serve as soon as they run", *(w for _, w in m.workloads))
            for m in each.members
        ]
        parts.append(
            f"**{each.name}** in namespace `{each.namespace}`: its members are switched, and go back, together. The"
            f" label `{each.selector_key}` in the Services' selectors says which colour is live.\n\n{table(head, rows)}"
        )
    return "\n\n".join(parts) or "None."


def workloads(policy: Policy) -> str:
    """What is updated in place."""
    rows = [
        (each.name, each.namespace, _named(each), each.mode.value, each.team, ", ".join(each.called_by))
        for each in policy.watches
        if each.release_set is None
    ]
    return table(("watch", "namespace", "Deployments", "mode", "team", "called by"), rows) if rows else "None."


def databases(policy: Policy) -> str:
    """Databases, caches and migrations."""
    runbooks = policy.operations.runbooks
    found = [(each.name, "PostgreSQL", f"pod `{each.pod}`, as `{each.user}`") for each in runbooks.databases]
    found += [(each, "Redis", f"host `{each}`") for each in runbooks.caches]
    kept = table(("name", "what", "where"), found) if found else "The policy names none (`runbooks`)."
    if policy.migration is None:
        return kept
    patterns = spoken(f"`{each}`" for each in policy.migration.patterns)
    failed = "the workloads go back" if policy.migration.on_failure_roll_back else "a human is asked"
    return (
        f"{kept}\n\nMigrations are Jobs and pods called {patterns}. After one the guard goes back by itself where"
        f" that is `{policy.migration.interlock.value}` to be safe; where one fails, {failed}. The database"
        " is never touched."
    )


def guarding(policy: Policy, guard: str) -> str:
    """What the guard does, and how often."""
    limits, timing = policy.limits, policy.timing
    modes = spoken(f"`{watch.name}` {watch.mode.value}" for watch in policy.watches)
    quiet = [
        f"Quiet window `{each.name}`: {_clock(each.begin)} to {_clock(each.end)} {each.time_zone}: {each.reason}"
        for each in policy.maintenance
    ]
    quiet += [
        f"Quiet hours `{each.name}`: {_clock(each.begin)} to {_clock(each.end)} {each.time_zone}, warnings and"
        f" information wait: {each.reason}"
        for each in policy.quiet
    ]
    return listed(
        (
            f"Deployment `monitoring` in namespace `{guard}`.",
            f"Modes: {modes}.",
            f"A rollout is guarded for {durations.format_(timing.close)}, the first"
            f" {durations.format_(timing.automatic)} of it automatically.",
            f"At most {limits.rollbacks} automatic rollbacks of one workload in"
            f" {durations.format_(limits.rollbacks_within)}, of {limits.fleet_units} workloads in"
            f" {durations.format_(limits.fleet_within)}.",
            *quiet,
        )
    )


def metrics(policy: Policy) -> str:
    """Where metrics are, and how long."""
    kept = policy.operations.retention
    return listed(
        (
            f"Store: <{policy.metrics.address}>, scraped every {durations.format_(policy.metrics.scrape_interval)}.",
            f"Kept as scraped for {days(kept.real_time)}, a sample in five minutes for {days(kept.aggregated)}, one in"
            f" an hour for {days(kept.long_term)}.",
        )
    )


def places(policy: Policy) -> str:
    """Every address that the policy names for people."""
    links, runbooks = policy.links, policy.operations.runbooks
    found = [("dashboard of a deployment", links.dashboard), ("runbooks", links.runbook)]
    found += [(each.name, each.url) for each in runbooks.tools]
    found += [("probe", each) for each in runbooks.probes]
    return listed(f"{name}: <{url}>" for name, url in found if url) or "The policy names none (`links`, `runbooks`)."


def days(seconds: float) -> str:
    """`15 days`; as a duration where it is no number of days."""
    whole = seconds / DAY
    return f"{whole:g} days" if whole == int(whole) else durations.format_(seconds)


def _what(signal: Signal) -> str:
    shared = ", shared by all" if signal.shared else ""
    share = "share of its limit" if signal.limit else ""
    per_pod = " and pod" if signal.per_pod else ""
    return (share or UNITS[signal.kind]) + per_pod + shared


def _levels(signal: Signal) -> tuple[str, ...]:
    if signal.kind is SignalKind.EVENT:
        return ("", "", signal.levels[0].text)
    return tuple(
        " or ".join(level.text for level in signal.levels if level.name is name) or "–"
        for name in (LevelName.WARNING, LevelName.CRITICAL, LevelName.ROLLBACK)
    )


def _users(watch: Watch) -> list[tuple[str, Watch]]:
    if watch.release_set is not None:
        return [(f"{watch.name} {each.name}", watch.of_member(each)) for each in watch.release_set.members]
    return [(_named(watch), watch)]


def _named(watch: Watch) -> str:
    chosen = ", ".join(f"{key}={value}" for key, value in watch.selector)
    return ", ".join(watch.workloads) or f"those with {chosen}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"

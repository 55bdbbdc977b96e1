"""The dashboard of the guard itself: does it guard, how does it look, and what can it not see."""

from __future__ import annotations

from rollguard.model.policy import Policy
from rollguard.policy.durations import format_
from rollguard.render.dashboards import rollouts
from rollguard.render.dashboards.deployment import links
from rollguard.render.dashboards.panel import Dashboard, Line, Panel, PanelKind, Query, Row, Word
from rollguard.render.dashboards.view import RATE_INTERVAL, View, at_least, of_units, view
from rollguard.render.places import BLIND, HELD, INCIDENTS, JOURNAL, LEADING, STALLED, Board

PATH = "guard-dashboard.json"
UNIT = ("namespace", "deployment", "set")
OF_UNIT = "{{namespace}} {{deployment}}{{set}}"
INSTANCE = "instance"
OF_INSTANCE = "{{instance}}"
RED = (Line(bound=1, colour="red"),)


def guard(policy: Policy) -> Dashboard:
    """The dashboard: of all guards that the data source has, whatever namespaces they watch."""
    seen = view(policy)
    return Dashboard(
        uid=Board.GUARD,
        path=PATH,
        title="Rollguard",
        description="The guard's own health: does it lead, look in time, see its signals and get its notices out.",
        variables=tuple(each for each in seen.variables() if each.name == "cluster"),
        rows=(
            Row(title="Does it guard", panels=_guards(seen)),
            Row(title="What it does", panels=_does(seen, policy)),
            Row(title="What it cannot see", panels=_blind(seen)),
            Row(title="Its looks", panels=_looks(seen, policy)),
        ),
        marks=(),
        links=links(policy),
    )


def _guards(seen: View) -> tuple[Panel, ...]:
    nobody = (Word(value=0, text="nobody", colour="red"), Word(value=1, text="one", colour="green"))
    newest = (Word(value=0, text="an earlier one", colour="red"), Word(value=1, text="the newest", colour="green"))
    return (
        _stat(
            LEADING.key,
            "Who leads",
            "One replica acts, the other waits. Of several guards in one data source each has its leader.",
            seen.everywhere("sum", "rollguard_leading"),
            words=nobody,
        ),
        _stat(
            "policy",
            "The policy in force",
            "An earlier one stays in force while the newest has mistakes: `kubectl rollguard status` lists them.",
            seen.everywhere("min", "rollguard_policy_valid"),
            words=newest,
        ),
        _stat(
            "open rollouts",
            "Rollouts under guard",
            "Of all namespaces that are watched.",
            seen.everywhere("sum", "rollguard_open_rollouts"),
        ),
        _stat(
            "notices",
            "Notices that wait",
            "No channel has accepted them yet: they are tried again until one does.",
            seen.everywhere("sum", "rollguard_outbox_pending"),
            lines=RED,
        ),
    )


def _does(seen: View, policy: Policy) -> tuple[Panel, ...]:
    return (
        _series(
            "rollouts by state",
            "Rollouts by what is done with them",
            "`held` waits for a person; `planned`, `acting` and `verifying` put an old version back.",
            _counted(seen, rollouts.STATE, "state"),
            "{{state}}",
        ),
        _series(
            "rollouts by verdict",
            "Rollouts by verdict",
            "`blind`: a required signal has no complete answers, so nothing is decided.",
            _counted(seen, rollouts.VERDICT, "verdict"),
            "{{verdict}}",
        ),
        _series(
            HELD.key,
            "Holds that wait for a person",
            "`kubectl rollguard why` says which interlock forbids the guard to act alone.",
            seen.everywhere("sum", "rollguard_hold_unanswered", *UNIT),
            OF_UNIT,
            lines=RED,
        ),
        _series(
            STALLED.key,
            "Rollbacks that are stalled",
            "What was put back does not become available: `kubectl rollguard why` tells the steps.",
            seen.everywhere("max", "rollguard_rollback_stalled", *UNIT),
            OF_UNIT,
            lines=RED,
        ),
        _series(
            INCIDENTS.key,
            "Incidents that are open",
            "A paging channel has accepted the page: Alertmanager does not page a second time for the same Deployment.",
            seen.everywhere("max", "rollguard_incident_open", *UNIT),
            OF_UNIT,
            lines=RED,
        ),
        _series(
            "unit errors",
            "Work that fails",
            "1 while the work on a Deployment or a release set fails; the guard tries again, and its log says why.",
            seen.everywhere("max", "rollguard_unit_error", *UNIT),
            OF_UNIT,
            lines=RED,
        ),
        *(_journal(seen) if policy.journal is not None else ()),
    )


def _journal(seen: View) -> tuple[Panel, ...]:
    return (
        _series(
            JOURNAL.key,
            "The journal is not reached",
            "1 while its database takes no lines: `kubectl rollguard status` has its words. Nothing waits for it.",
            f"1 - {seen.everywhere('min', 'rollguard_journal_reached', INSTANCE)}",
            OF_INSTANCE,
            lines=RED,
        ),
        _series(
            "journal lines",
            "Lines that wait for the journal",
            "Of 10,000 that there is room for; the guard's log has each of them in any case.",
            seen.everywhere("sum", "rollguard_journal_waiting", INSTANCE),
            OF_INSTANCE,
        ),
    )


def _blind(seen: View) -> tuple[Panel, ...]:
    return (
        _series(
            BLIND.key,
            "Rollouts that cannot be judged",
            "A required signal has no complete answers: events still act, figures do not.",
            seen.everywhere("max", "rollguard_blind", *UNIT),
            OF_UNIT,
            lines=RED,
        ),
        _series(
            "blind signals",
            "Signals without a complete answer",
            "In the last slot. Ask the metrics store itself, then `kubectl rollguard doctor`.",
            at_least(seen.everywhere("max", "rollguard_signal_blind", "signal"), "signal"),
            "{{signal}}",
        ),
        _series(
            "doctor",
            "Checks that failed",
            "Of `rollguard doctor`, which the guard runs at its start and every hour.",
            at_least(seen.everywhere("max", "rollguard_doctor_failures", "check"), "check"),
            "{{check}}",
            lines=RED,
        ),
        _series(
            "failed watches",
            "Watches that failed",
            "Of the API server, per minute; each is begun again.",
            _per_minute(seen, "rollguard_watch_errors_total", "collection"),
            "{{collection}}",
            unit="cpm",
        ),
    )


def _looks(seen: View, policy: Policy) -> tuple[Panel, ...]:
    return (
        _series(
            "look",
            "How long a look at everything takes",
            f"A look begins every {format_(policy.timing.tick)}; one that takes longer makes the next one late.",
            seen.everywhere("max", "rollguard_last_tick_seconds", INSTANCE),
            OF_INSTANCE,
            unit="s",
            lines=(Line(bound=policy.timing.tick, colour="red"),),
        ),
        _series(
            "looks",
            "Looks",
            "Per minute; only who leads looks.",
            _per_minute(seen, "rollguard_ticks_total", INSTANCE),
            OF_INSTANCE,
            unit="cpm",
        ),
        _series(
            "late looks",
            "Looks that were skipped",
            "Per minute, because the one before took too long.",
            _per_minute(seen, "rollguard_late_ticks_total", INSTANCE),
            OF_INSTANCE,
            unit="cpm",
        ),
        _series(
            "errors",
            "Unexpected errors",
            "Per minute. Each is in the log with its traceback: please report it.",
            _per_minute(seen, "rollguard_errors_total", INSTANCE),
            OF_INSTANCE,
            unit="cpm",
        ),
    )


def _counted(seen: View, series: str, label: str) -> str:
    """How many units there are by a label."""
    return at_least(f"sum by ({label}) ({seen.everywhere('max', of_units(series), *UNIT, label)})", label)


def _per_minute(seen: View, counter: str, label: str) -> str:
    # The range is put in last: a variable of Grafana's is no PromQL.
    rate = seen.everywhere("sum", f"rate({counter}[1m])", label).replace("[1m]", f"[{RATE_INTERVAL}]")
    return f"60 * {rate}"


def _stat(
    key: str, title: str, about: str, promql: str, *, words: tuple[Word, ...] = (), lines: tuple[Line, ...] = ()
) -> Panel:
    return Panel(
        key=key,
        title=title,
        description=about,
        kind=PanelKind.STAT,
        unit="short",
        queries=(Query(promql=promql, legend=title),),
        words=words,
        lines=lines,
        none="no guard is scraped",
        width=6,
        height=4,
    )


def _series(
    key: str, title: str, about: str, promql: str, legend: str, *, unit: str = "short", lines: tuple[Line, ...] = ()
) -> Panel:
    return Panel(
        key=key,
        title=title,
        description=about,
        kind=PanelKind.TIME_SERIES,
        unit=unit,
        queries=(Query(promql=promql, legend=legend),),
        lines=lines,
    )

"""The alerts on the levels of the policy's signals."""

from __future__ import annotations

from rollguard import signals
from rollguard.model.alerting import ROLLBACK, Severity
from rollguard.model.policy import Policy
from rollguard.model.signals import Level, LevelName, Signal, SignalAlert, SignalKind
from rollguard.policy.durations import format_
from rollguard.render.alerts.alert import Alert, Unit
from rollguard.render.alerts.cluster import RECENT, WHERE
from rollguard.render.alerts.recordings import counts_requests, requests_name, value_name
from rollguard.render.places import place_of
from rollguard.signals import Scope

_UNITS = {SignalKind.RATIO: Unit.SHARE, SignalKind.HISTOGRAM: Unit.SECONDS, SignalKind.RATE: Unit.PER_MINUTE}
_SHOWN = {
    Unit.SHARE: "{{ $value | humanizePercentage }}",
    Unit.SECONDS: "{{ $value | humanizeDuration }}",
    Unit.PER_MINUTE: '{{ printf "%.3g" $value }}/min',
    Unit.NUMBER: '{{ printf "%.4g" $value }}',
}
_WHAT = {
    SignalKind.RATIO: "the share of bad ones among all",
    SignalKind.HISTOGRAM: "a quantile of how long requests take",
    SignalKind.RATE: "how often it happens per minute",
    SignalKind.GAUGE: "the highest value of a pod",
}


def severity(level: LevelName) -> Severity:
    """Of an alert on a level."""
    return Severity.WARNING if level is LevelName.WARNING else Severity.CRITICAL


def of_signals(policy: Policy) -> tuple[Alert, ...]:
    """One for each alert that a signal with bounds names."""
    scope = signals.scope(policy)
    return tuple(
        _alert(signal, alert, levels, scope)
        for signal in policy.signals
        if signal.kind is not SignalKind.EVENT
        for alert in signal.alerts
        if (levels := tuple(level for level in signal.levels if level.name is alert.level))
    )


def _alert(signal: Signal, alert: SignalAlert, levels: tuple[Level, ...], scope: Scope) -> Alert:
    unit = _UNITS.get(signal.kind, Unit.SHARE if signal.limit else Unit.NUMBER)
    bound = " or ".join(_bound(level) for level in levels)
    acts = alert.level is LevelName.ROLLBACK
    return Alert(
        name=alert.name,
        severity=severity(alert.level),
        category=alert.category,
        expr=_expr(signal, alert, levels, scope),
        for_seconds=alert.seconds,
        summary=_summary(signal, alert, bound),
        description=_description(signal, alert, unit, bound),
        meaning=_meaning(signal, alert, bound),
        panel=place_of(signal, levels[0].quantile, whole=alert.whole),
        labels=(ROLLBACK,) if acts else (),
        deployment=not (signal.shared or alert.whole),
        value=value_name(signal, alert, levels[0]),
        unit=unit,
        bound=levels[0].bound,
        bound_text=bound,
        signal=signal.name,
        after_rollout=alert.after_rollout,
    )


def _expr(signal: Signal, alert: SignalAlert, levels: tuple[Level, ...], scope: Scope) -> str:
    own = f"on ({', '.join(scope.keys() if signal.shared or alert.whole else scope.own())})"
    expr = " or ".join(f"{value_name(signal, alert, level)} > {_number(level.bound)}" for level in levels)
    several = len(levels) > 1
    clauses: list[str] = []
    if counts_requests(signal) and signal.minimum_traffic:
        clauses.append(f"and {own} {requests_name(signal, alert.over, whole=alert.whole)} >= {signal.minimum_traffic}")
    if alert.after_rollout:
        clauses.append(f"and {own} {RECENT} == 1")
    return " ".join([f"({expr})" if several and clauses else expr, *clauses])


def _number(value: float) -> str:
    return f"{value:.12g}"


def _bound(level: Level) -> str:
    """`P95 > 2s`, `> 10%`."""
    return level.text.rpartition(" for ")[0] or level.text


def _words(signal: Signal) -> str:
    return signal.name.replace("-", " ")


def _summary(signal: Signal, alert: SignalAlert, bound: str) -> str:
    words = f"{_words(signal)} {bound}{' of the limit' if signal.limit else ''}".replace("> ", "above ")
    after = " after a rollout" if alert.after_rollout else " in a whole namespace" if alert.whole else ""
    acts = ": the bound of a rollback" if alert.level is LevelName.ROLLBACK else ""
    return f"{words[0].upper()}{words[1:]}{after}{acts}"


def _where(signal: Signal, alert: SignalAlert) -> str:
    if signal.shared:
        return "in {{ $labels.namespace }}"
    if alert.whole:
        return "of all Deployments in {{ $labels.namespace }} together"
    return f"of {WHERE}, pod {{{{ $labels.pod }}}}," if alert.by_pod else f"of {WHERE}"


def _description(signal: Signal, alert: SignalAlert, unit: Unit, bound: str) -> str:
    per = " per pod" if signal.per_pod else ""
    limit = " of the limit" if signal.limit else ""
    over = "" if signal.kind is SignalKind.GAUGE else f" over {format_(alert.over)}"
    quantile = " (the quantile that is past its bound)" if signal.kind is SignalKind.HISTOGRAM else ""
    lasting = f" for {format_(alert.seconds)}" if alert.seconds else ""
    text = f"{_words(signal)} {_where(signal, alert)} is {_SHOWN[unit]}{limit}{per}{over}{quantile}"
    text = f"{text[0].upper()}{text[1:]}; the bound is {bound}{lasting}."
    if alert.after_rollout:
        text += " A rollout is recent."
    if alert.level is LevelName.ROLLBACK:
        text += " The guard judges the same bound by itself; this rule comes later than its level, by at most"
        text += f" {format_(alert.over)}." if over else " one evaluation."
    return text


def _meaning(signal: Signal, alert: SignalAlert, bound: str) -> str:
    what = f"The signal `{signal.name}` of the policy, {_WHAT[signal.kind]}, is past its level `{alert.level.value}`"
    traffic = (
        f" With fewer than {signal.minimum_traffic} requests in {format_(alert.over)} it is silent."
        if counts_requests(signal) and signal.minimum_traffic
        else ""
    )
    after = " It asks for a recent rollout." if alert.after_rollout else ""
    whole = (
        " It is taken over all of a namespace, also over what belongs to no Deployment, or has too little traffic for "
        "an alert of its own. Nothing is rolled back by it."
        if alert.whole
        else ""
    )
    shared = (
        " It belongs to no Deployment: it is looked for in the whole store, in whatever namespace it is scraped, by "
        "its selectors alone."
        if signal.shared
        else ""
    )
    return f"{what} ({bound}).{traffic}{after}{whole}{shared}"

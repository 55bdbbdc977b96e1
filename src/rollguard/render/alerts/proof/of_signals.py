"""Cases of the alerts on levels: from the recorded series, for a policy's expressions may be any."""

from __future__ import annotations

from rollguard.model.signals import Signal, SignalAlert
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.cluster import RECENT
from rollguard.render.alerts.proof.case import CALM, Case, Firing, Setting
from rollguard.render.alerts.proof.series import POD_NAME, WORKLOAD, Series
from rollguard.render.alerts.recordings import counts_requests, requests_name, value_name


def of_signals(setting: Setting, alerts: tuple[Alert, ...]) -> tuple[Case, ...]:
    """One for each alert on a level."""
    return tuple(_case(setting, alert, alerts) for alert in alerts if alert.bound is not None)


def scarce(setting: Setting, signal: Signal) -> tuple[Series, ...]:
    """A signal far past its bounds after a rollout, with one request less than it needs; nothing where it needs
    none."""
    if not counts_requests(signal) or not signal.minimum_traffic:
        return ()
    return _series(setting, signal, 1.0, requests=signal.minimum_traffic - 1, calm=0)


def _case(setting: Setting, alert: Alert, alerts: tuple[Alert, ...]) -> Case:
    signal = next(each for each in setting.policy.signals if each.name == alert.signal)
    value = _past(alert, alerts)
    others = tuple(
        (CALM, _fires(setting, each, value))
        for each in alerts
        if each is not alert
        and each.name == alert.name
        and each.value == alert.value
        and each.bound is not None
        and each.bound < value
    )
    fed = tuple(
        series
        for series in _series(setting, signal, value, requests=10 * max(signal.minimum_traffic, 1), calm=CALM)
        if ":requests_" in series.name or series.name in (alert.value, RECENT)
    )
    return Case(fires=_fires(setting, alert, value), series=fed, begin=CALM, others=others)


def _past(alert: Alert, alerts: tuple[Alert, ...]) -> float:
    """A value past the bound and, where the alert has a harder brother, inside that one's."""
    bound = alert.bound or 0.0
    harder = [
        each.bound
        for each in alerts
        if each.value == alert.value and each.bound is not None and each.bound > bound and each.name == alert.name
    ]
    return (bound + min(harder)) / 2 if harder else bound * 1.5 or 1.0


def _fires(setting: Setting, alert: Alert, value: float) -> Firing:
    pod = {"pod": POD_NAME} if alert.value.startswith("pod:") else {}
    own = {"deployment": WORKLOAD, **pod} if alert.deployment else {}
    return Firing(alert=alert, labels=setting.cast.own(**own), value=value)


def _series(setting: Setting, signal: Signal, value: float, *, requests: int, calm: int) -> tuple[Series, ...]:
    found: dict[str, Series] = {}
    before: tuple[tuple[float | None, int], ...] = ((None, calm),) if calm else ()
    for each in signal.alerts:
        own = {} if signal.shared or each.whole else {"deployment": WORKLOAD}
        for level in (level for level in signal.levels if level.name is each.level):
            name = value_name(signal, each, level)
            found[name] = setting.cast.recorded(name, *before, (value, 1), **own, **_pod(each))
        if counts_requests(signal):
            name = requests_name(signal, each.over, whole=each.whole)
            found[name] = setting.cast.recorded(name, (requests, 1), **own)
    recent = () if signal.shared else (setting.cast.recorded(RECENT, (1, 1), deployment=WORKLOAD),)
    return (*found.values(), *recent)


def _pod(alert: SignalAlert) -> dict[str, str]:
    return {"pod": POD_NAME} if alert.by_pod else {}

"""The rule tests of a policy, for `promtool test rules`: rendered beside the rules that they test."""

from __future__ import annotations

from collections.abc import Iterable

from rollguard.model.documents import Json
from rollguard.model.policy import Policy
from rollguard.policy.durations import format_
from rollguard.render.alerts.alert import Alert
from rollguard.render.alerts.cluster import RECENT
from rollguard.render.alerts.proof.case import INTERVAL, Case, Firing, Setting, steps
from rollguard.render.alerts.proof.expanded import expanded
from rollguard.render.alerts.proof.of_absence import leads, of_absence
from rollguard.render.alerts.proof.of_cluster import of_cluster
from rollguard.render.alerts.proof.of_signals import of_signals
from rollguard.render.alerts.proof.quiet import Quiet, stories
from rollguard.render.alerts.proof.series import WORKLOAD, Cast, Series
from rollguard.render.alerts.table import GUARD, alerts
from rollguard.render.alerts.written import RULES_PATH, annotated, groups
from rollguard.render.file import File, yaml_file

PATH = "rules/rollguard.rules.test.yaml"
AFTER = 2
"""A test goes on for so many intervals after an alert has fired."""
LOOKS = 5
"""How often a quiet story is looked at."""


def test_file(policy: Policy, *, namespace: str = GUARD) -> File:
    """Each alert silent just before and firing just at its time, with exact labels and annotations, and the stories in
    which all are silent."""
    return yaml_file(PATH, (_document(policy, namespace),))


def cases(policy: Policy, *, namespace: str = GUARD) -> tuple[Case, ...]:
    """One for each alert of a policy."""
    every = alerts(policy, namespace=namespace)
    setting = _setting(policy, namespace)
    return (*of_cluster(setting, every), *of_signals(setting, every), *of_absence(setting, every))


def _setting(policy: Policy, namespace: str) -> Setting:
    return Setting(policy=policy, cast=Cast.of(policy), guard=namespace)


def _document(policy: Policy, namespace: str) -> Json:
    every = alerts(policy, namespace=namespace)
    setting = _setting(policy, namespace)
    order = [each["name"] for each in groups(policy, namespace=namespace) if isinstance(each, dict)]
    tests: list[Json] = [_case(case, policy) for case in cases(policy, namespace=namespace)]
    tests += [_quiet(each, every, setting) for each in stories(setting)]
    return {
        "rule_files": [RULES_PATH.rpartition("/")[2]],
        "evaluation_interval": format_(INTERVAL),
        "group_eval_order": order,
        "tests": tests,
    }


def _case(case: Case, policy: Policy) -> Json:
    alert = case.fires.alert
    fires = case.begin + steps(alert.for_seconds)
    looks = [fires - 1, fires + case.slack, *([case.ends] if case.ends else [])]
    found = [((case.begin, case.slack, case.ends), case.fires), *(((at, 0, None), other) for at, other in case.others)]
    return {
        "name": f"{alert.name}, {alert.severity.value}{_signal(alert)}{case.story and f', {case.story}'}",
        "interval": format_(INTERVAL),
        "input_series": _series(case.series, max(looks) + AFTER),
        "alert_rule_test": [
            {
                "eval_time": format_(at * INTERVAL),
                "alertname": alert.name,
                "exp_alerts": [
                    _expected(firing, policy)
                    for (begin, slack, ends), firing in found
                    if begin + slack + steps(firing.alert.for_seconds) <= at and (ends is None or at < ends)
                ],
            }
            for at in looks
        ],
    }


def _signal(alert: Alert) -> str:
    return f", {alert.signal}" if alert.signal else ""


def _expected(firing: Firing, policy: Policy) -> Json:
    labels = {**firing.labels, **dict(firing.alert.labelled)}
    texts = annotated(firing.alert, policy)
    # What a rule itself adds is no label of its expression: a description cannot name it.
    told: dict[str, Json] = {name: expanded(str(text), firing.labels, firing.value) for name, text in texts.items()}
    return {"exp_labels": dict(labels), "exp_annotations": told}


def _quiet(story: Quiet, every: tuple[Alert, ...], setting: Setting) -> Json:
    times = sorted({round(story.length * (number + 1) / LOOKS) for number in range(LOOKS)})
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(setting.cast.own(deployment=WORKLOAD).items()))
    # The guard is there, and says nothing.
    series = (*story.series, leads(setting, (1, 1)))
    return {
        "name": story.name,
        "interval": format_(INTERVAL),
        "input_series": _series(series, story.length + AFTER),
        "alert_rule_test": [
            {"eval_time": format_(at * INTERVAL), "alertname": name, "exp_alerts": []}
            for at in times
            for name in dict.fromkeys(alert.name for alert in every)
        ],
        "promql_expr_test": [
            {
                "expr": RECENT,
                "eval_time": format_(at * INTERVAL),
                "exp_samples": [{"labels": f"{RECENT}{{{labels}}}", "value": value}],
            }
            for at, value in story.recent
        ],
    }


def _series(found: Iterable[Series], length: int) -> list[Json]:
    return [dict(written) for each in found for written in each.written(length)]

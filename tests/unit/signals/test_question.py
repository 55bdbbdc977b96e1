"""What the metrics store is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import promql_parser
import pytest

from rollguard.model.metrics import GapCause, MetricsAnswer, NoSnapshot, Question, Reading, Snapshot
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.policy import MetricsStore, Policy, StoreAccess
from rollguard.model.signals import Signal, SignalKind
from rollguard.model.time import Instant
from rollguard.policy import load
from rollguard.signals import KINDS, LONGEST_EXPRESSION, joined, question

ROOT = Path(__file__).parents[3]
STORE = MetricsStore(
    address="http://prometheus:9090",
    namespace_label="namespace",
    pod_label="pod",
    workload_label="deployment",
    match='cluster="eu"',
    auth=StoreAccess(),
    scrape_interval=15.0,
)
AT = Instant(1_800_000_000.0)


def workloads(*names: str, namespace: str = "production") -> tuple[WorkloadName, ...]:
    return tuple(WorkloadName(namespace, WorkloadKind.DEPLOYMENT, name) for name in names)


MODELS = workloads("translation", "speech-to-text")
ERRORS = Signal(
    name="errors",
    kind=SignalKind.RATIO,
    levels=(),
    required=True,
    shared=False,
    minimum_traffic=20,
    bad='http_requests_total{status=~"5.."}',
    total="http_requests_total",
)


def ask(signal: Signal, names: tuple[WorkloadName, ...] = MODELS, store: MetricsStore = STORE) -> tuple[Question, ...]:
    return question(signal, store, workloads=names, instants=(AT,), slot_seconds=30.0)


def only(signal: Signal, names: tuple[WorkloadName, ...] = MODELS, store: MetricsStore = STORE) -> dict[str, str]:
    found = ask(signal, names, store)
    assert len(found) == 1
    return {expression.part: expression.promql for expression in found[0].expressions}


@pytest.mark.golden
def test_the_platforms_questions_are_those_of_the_golden_file(renew_golden: bool) -> None:
    policy = load((ROOT / "examples/dubbing-platform/policy.yaml").read_text(), "policy.yaml")
    assert isinstance(policy, Policy)
    lines = [
        f"{asked.signal} {expression.part}: {expression.promql}\n"
        for signal in policy.signals
        for asked in question(signal, policy.metrics, workloads=MODELS, instants=(AT,), slot_seconds=30.0)
        for expression in asked.expressions
    ]
    golden = ROOT / "tests/golden/policy-questions.txt"
    if renew_golden:
        golden.write_text("".join(lines))
    assert "".join(lines) == golden.read_text()
    for line in lines:
        promql_parser.parse(line.split(": ", 1)[1])


def test_one_question_covers_all_workloads_of_all_namespaces() -> None:
    asked = only(ERRORS, (*MODELS, *workloads("web", namespace="staging")))
    assert asked["total"] == (
        "sum by (namespace, pod) (http_requests_total{"
        'namespace=~"production|staging",pod=~"(speech-to-text|translation|web)-.*",cluster="eu"})'
    )


def test_a_dot_in_a_name_matches_a_dot_only() -> None:
    assert 'pod=~"(a\\\\.b)-.*"' in only(ERRORS, workloads("a.b"))["total"]


def test_resets_are_counted_from_the_scrape_before_the_slot() -> None:
    assert only(ERRORS)["resets"].endswith("[45s]))")
    fast = replace(STORE, scrape_interval=0.25)
    assert only(ERRORS, store=fast)["resets"].endswith("[30250ms]))")


def test_series_without_a_pod_are_asked_by_workload() -> None:
    asked = only(ERRORS, store=replace(STORE, pod_label=""))
    assert asked["bad"] == (
        'sum by (namespace, deployment) (http_requests_total{status=~"5..",'
        'namespace="production",deployment=~"speech-to-text|translation",cluster="eu"})'
    )


def test_what_two_pods_of_kube_state_metrics_show_counts_once() -> None:
    restarts = Signal(
        name="restarts",
        kind=SignalKind.RATE,
        levels=(),
        required=False,
        shared=False,
        minimum_traffic=0,
        counter="kube_pod_container_status_restarts_total",
    )
    asked = only(restarts)
    assert asked["count"].startswith("sum by (namespace, pod) (max by (namespace, pod, container) (kube_pod_")
    assert asked["resets"].startswith("sum by (namespace, pod) (max by (namespace, pod, container) (resets(kube_pod_")
    unnamed = only(restarts, store=replace(STORE, pod_label=""))["count"]
    assert unnamed.startswith(
        "sum by (namespace, deployment) (max by (namespace, deployment, pod, container) (kube_pod_"
    )
    own = only(replace(restarts, counter="database_connection_errors_total"))
    assert own["count"].startswith("sum by (namespace, pod) (database_connection_errors_total")


def test_the_limit_of_a_shared_value_is_that_of_its_own_server() -> None:
    shared = Signal(
        name="connections",
        kind=SignalKind.GAUGE,
        levels=(),
        required=False,
        shared=True,
        minimum_traffic=0,
        gauge="used",
        limit="most",
    )
    each = "namespace, pod, container, instance"
    value, limit = 'used{cluster="eu"}', 'most{cluster="eu"}'
    assert only(shared)["value"] == (
        f"max by (namespace, pod) (sum by ({each}) ({value}) / on ({each}) (sum by ({each}) ({limit}) > 0))"
    )


def test_a_shared_signal_is_not_narrowed_by_workload() -> None:
    shared = replace(ERRORS, shared=True)
    assert only(shared)["total"] == 'sum by (namespace, pod) (http_requests_total{cluster="eu"})'


def test_events_and_nobody_are_not_asked_about() -> None:
    assert ask(replace(ERRORS, kind=SignalKind.EVENT)) == ()
    assert ask(ERRORS, ()) == ()


@pytest.mark.parametrize(("count", "most"), [(1, 1), (100, 1), (1000, 8), (10_000, 64)])
def test_only_the_length_of_an_expression_cuts_a_question(count: int, most: int) -> None:
    names = workloads(*(f"service-{n}" for n in range(count)))
    asked = ask(ERRORS, names)
    assert 1 <= len(asked) <= most
    assert all(len(expression.promql) <= LONGEST_EXPRESSION for one in asked for expression in one.expressions)
    totals = " ".join(
        expression.promql for one in asked for expression in one.expressions if expression.part == "total"
    )
    assert all(f"service-{n}" in totals for n in range(count))


def test_every_kind_is_registered() -> None:
    assert set(KINDS) == set(SignalKind)


def answer(*pods: str) -> MetricsAnswer:
    return Snapshot(
        signal="errors",
        at=AT,
        readings=tuple(
            Reading(namespace="production", pod=pod, workload="", values=(), newest=AT, resets=0) for pod in pods
        ),
    )


def gap(cause: GapCause) -> MetricsAnswer:
    return NoSnapshot(signal="errors", at=AT, cause=cause, detail="")


def test_the_answers_of_a_cut_question_become_one() -> None:
    (whole,) = joined(((answer("a"),), (answer("b", "c"),)))
    assert isinstance(whole, Snapshot)
    assert [reading.pod for reading in whole.readings] == ["a", "b", "c"]


def test_a_partial_answer_is_never_a_whole_one() -> None:
    assert joined(((answer("a"),), (gap(GapCause.TIMEOUT),))) == (gap(GapCause.TIMEOUT),)


def test_workloads_without_series_do_not_blind_the_others() -> None:
    assert joined(((answer("a"),), (gap(GapCause.EMPTY),))) == (answer("a"),)
    assert joined(((gap(GapCause.EMPTY),), (gap(GapCause.EMPTY),))) == (gap(GapCause.EMPTY),)

"""`policy check` with the cluster and its metrics store: what matches nothing is said at its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollguard.cli.main import call
from tests.unit.cli.clusters import Cluster, cluster, deployment, requests_of

__all__ = ["cluster"]

POLICY = """\
apiVersion: rollguard.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: shop
spec:
  metrics:
    address: STORE
  watch:
    - name: shop
      namespace: shop
      workloads: [cart, checkout]
      signals: [errors, latency]
  signals:
    errors:
      kind: ratio
      bad: http_requests_total{status=~"5.."}
      total: http_requests_total
      levels:
        rollback: {above: 10%, for: 5m}
    latency:
      kind: histogram
      buckets: http_request_duration_seconds_bucket
      levels:
        critical: {p95: 2s, for: 5m}
        rollback:
          - {p95: 5s, for: 5m}
"""


class Checked:
    """Runs the command on a policy, and has what it said."""

    def __init__(self, cluster: Cluster, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.cluster, self.directory, self.capsys = cluster, directory, capsys
        self.out = self.err = ""

    def run(self, old: str = "", new: str = "", *more: str) -> int:
        text = POLICY.replace("STORE", self.cluster.store_url)
        assert old in text
        file = self.directory / "policy.yaml"
        file.write_text(text.replace(old, new, 1) if old else text)
        config = str(self.cluster.kubeconfig(self.directory))
        code = call(["policy", "check", str(file), "--cluster", "--kubeconfig", config, *more])
        self.out, self.err = self.capsys.readouterr()
        self.out = self.out.replace(f"{file}:", "")
        return code


@pytest.fixture
def checked(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Checked:
    return Checked(cluster, tmp_path, capsys)


def test_a_policy_whose_every_name_is_there_is_good(checked: Checked) -> None:
    assert checked.run() == 0, checked.out
    assert "good: 1 watch, 2 signals" in checked.out


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("namespace: shop", "namespace: shops", "10:18", "a namespace that exists; did you mean `shop`?"),
        (
            "[cart, checkout]",
            "[cart, chekout]",
            "11:25",
            "a Deployment of the namespace shop (cart, checkout); did you mean `checkout`?",
        ),
        ("      signals: [", "      calledBy: [frnt]\n      signals: [", "12:18", "a Deployment of the namespace shop"),
        (
            "workloads: [cart, checkout]",
            "selector: {matchLabels: {team: aa}}",
            "11:31",
            "labels of a Deployment in the namespace shop; did you mean `team=a`?",
        ),
        (
            "total: http_requests_total",
            "total: http_request_total",
            "17:14",
            "errors has none of http_request_total; did you mean `http_requests_total`?",
        ),
        (
            "status=~",
            "code=~",
            "16:12",
            "a label that http_requests_total carries (namespace, pod, status), not `code`",
        ),
        (
            "  watch:\n",
            "    labels: {namespace: name_space}\n  watch:\n",
            "8:25",
            "a label that http_requests_total carries (namespace, pod, status); did you mean `namespace`?",
        ),
        (
            "  watch:\n",
            "    labels:\n      pod: pods\n  watch:\n",
            "9:12",
            'or "" where no label names the pod; did you mean `pod`?',
        ),
        (
            "{p95: 5s,",
            "{p95: 10s,",
            "26:19",
            "an edge of the buckets is not below (100ms, 500ms, 2s, 5s): it can never be reached",
        ),
        ("total: http_requests_total", 'total: http_requests_total{pod="x"}', "17:14", "errors has none of"),
    ],
)
def test_what_matches_nothing_is_said_at_its_key(checked: Checked, old: str, new: str, place: str, said: str) -> None:
    assert checked.run(old, new) == 1
    assert f"{place}: `" in checked.out
    assert said in checked.out
    assert "(no mistake)" not in checked.out


def test_a_watch_whose_workloads_have_no_series_is_said_for_each_signal(checked: Checked) -> None:
    checked.cluster.deployments.append(deployment("shop", "quiet"))
    assert checked.run("[cart, checkout]", "[quiet]") == 1
    assert "12:17: `shop`: expected series of http_requests_total for the workloads of this watch" in checked.out
    assert "12:25: `shop`: expected series of http_request_duration_seconds_bucket" in checked.out


def test_a_bound_between_edges_is_a_remark(checked: Checked) -> None:
    assert checked.run("{p95: 2s", "{p95: 1s") == 0
    said = "24:25: `1s`: expected an edge of the buckets (100ms, 500ms, 2s, 5s): it is judged at 2s (no mistake)"
    assert said in checked.out


def test_bad_requests_that_were_never_seen_are_a_remark(checked: Checked) -> None:
    assert checked.run("bad: http_requests_total{", "bad: http_errors_total{") == 0
    assert "it reads as no bad requests until http_errors_total has some (no mistake)" in checked.out


def test_an_optional_signal_of_the_preset_without_series_is_a_remark(checked: Checked) -> None:
    signals = POLICY[POLICY.index("      signals: [") :]
    assert checked.run(signals, "  preset: generic\n") == 0
    assert "12:11: `kube_pod_container_status_restarts_total`: expected series in the metrics store" in checked.out


def test_a_required_signal_of_the_preset_without_series_is_a_mistake(checked: Checked) -> None:
    checked.cluster.series = []
    signals = POLICY[POLICY.index("      signals: [") :]
    assert checked.run(signals, "  preset: generic\n") == 1
    assert "12:11: `http_requests_total`: expected series in the metrics store" in checked.out


def test_the_mistakes_of_the_file_are_said_first_and_the_cluster_is_not_asked(checked: Checked) -> None:
    assert checked.run("10%", "10") == 1
    assert "19:27: `10`" in checked.out
    assert "the cluster was not asked" in checked.err
    assert checked.cluster.asked == []


def test_a_store_that_does_not_answer_is_never_called_good(checked: Checked) -> None:
    checked.cluster.store_answers = False
    assert checked.run() == 3
    assert "good:" not in checked.out
    assert "not known to be good: the metrics store did not answer" in checked.err


def test_a_cluster_that_refuses_is_never_called_good(checked: Checked) -> None:
    checked.cluster.forbidden = {"/apis/apps/v1/namespaces/shop/deployments"}
    assert checked.run() == 3
    assert "the Deployments of shop cannot be listed: 403 you cannot list" in checked.err


def test_a_store_of_the_cluster_is_asked_through_the_api_server(checked: Checked) -> None:
    checked.cluster.services = [{"metadata": {"namespace": "shop", "name": "prometheus"}, "spec": {}}]
    assert checked.run(checked.cluster.store_url, "http://prometheus.shop.svc:9090") == 0, checked.err
    assert any(
        path.startswith("/api/v1/namespaces/shop/services/http:prometheus:9090/proxy/")
        for path in checked.cluster.asked
    )


def test_programs_read_mistakes_remarks_and_what_was_not_asked(checked: Checked) -> None:
    checked.cluster.series = requests_of("shop", "cart-5d4f-abcde")
    assert checked.run("[cart, checkout]", "[cart, nobody]", "-o", "json") == 1
    found = json.loads(checked.out)
    assert found["ok"] is False
    assert [(one["line"], one["column"], one["offending"]) for one in found["mistakes"]] == [(11, 25, "nobody")]
    assert found["remarks"] == found["notAsked"] == []

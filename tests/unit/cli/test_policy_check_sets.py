"""`policy check --cluster` on release sets: what would keep them from being guarded, or from going back."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.cli.main import call
from tests.unit.cli.clusters import Cluster, cluster, coloured, deployment, requests_of, scaler, service

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
    - name: platform
      namespace: shop
      releaseSet:
        selectorKey: version
        colours: [blue, green]
        members:
          - {name: backend, service: backend-service}
          - name: workers
            workloads: {blue: workers-blue, green: workers-green}
            signals: [crashes]
    - name: model
      namespace: shop
      workloads: [model]
      calledBy: [platform]
  signals:
    errors:
      kind: ratio
      bad: http_requests_total{status=~"5.."}
      total: http_requests_total
      levels:
        rollback: {above: 10%, for: 5m}
    crashes: {kind: event, rule: crashLoop}
"""


class Checked:
    """Runs the command, and has what it said."""

    def __init__(self, cluster: Cluster, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.cluster, self.directory, self.capsys = cluster, directory, capsys
        self.out = self.err = ""

    def run(self) -> int:
        file = self.directory / "policy.yaml"
        file.write_text(POLICY.replace("STORE", self.cluster.store_url))
        config = str(self.cluster.kubeconfig(self.directory))
        code = call(["policy", "check", str(file), "--cluster", "--kubeconfig", config])
        self.out, self.err = self.capsys.readouterr()
        self.out = self.out.replace(f"{file}:", "")
        return code

    def lines(self) -> list[str]:
        return self.out.splitlines()

    def labels(self, name: str, **labels: str) -> None:
        """Gives the pods of a Deployment these labels instead."""
        (found,) = (each for each in self.cluster.deployments if each["metadata"]["name"] == name)
        found["spec"]["template"]["metadata"]["labels"] = labels


@pytest.fixture
def checked(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Checked:
    pairs = [coloured("shop", app, colour) for app in ("backend", "workers") for colour in ("blue", "green")]
    cluster.deployments = [*pairs, deployment("shop", "model")]
    cluster.services = [service("shop", "backend-service", 80, app="backend", version="blue")]
    cluster.series = requests_of("shop", "backend-blue-5d4f-abcde", "model-77c9-fghij")
    return Checked(cluster, tmp_path, capsys)


def test_a_set_of_which_everything_is_there_is_good(checked: Checked) -> None:
    checked.cluster.scalers = [scaler("shop", "backend-green", 3)]
    assert checked.run() == 0, checked.out + checked.err
    assert "good: 2 watches" in checked.out


def test_deployments_and_services_that_do_not_exist_are_said_where_they_are_named(checked: Checked) -> None:
    names = ("backend-green", "workers-green")
    checked.cluster.deployments = [d for d in checked.cluster.deployments if d["metadata"]["name"] not in names]
    checked.cluster.services[0]["metadata"]["name"] = "backend-servis"
    assert checked.run() == 1
    there = "a Deployment of the namespace shop (backend-blue, model, workers-blue); did you mean"
    assert checked.lines() == [
        f"15:20: `backend-green`: expected {there} `backend-blue`?",
        "15:38: `backend-service`: expected a Service of the namespace shop (backend-servis); did you mean "
        "`backend-servis`?",
        f"17:52: `workers-green`: expected {there} `workers-blue`?",
    ]


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ({"app": "backend"}, "(app=backend)"),
        ({"app": "backend", "version": "red"}, "(app=backend,version=red); did you mean `version=green`?"),
    ],
    ids=["the key is missing", "a third value"],
)
def test_a_service_that_names_no_colour_is_a_mistake(checked: Checked, selector: dict[str, str], said: str) -> None:
    checked.cluster.services[0]["spec"]["selector"] = selector
    assert checked.run() == 1
    expected = f"15:38: `backend-service`: expected a Service whose selector names version=blue or version=green {said}"
    assert checked.lines() == [expected]


def test_pods_that_the_service_would_not_find_are_a_mistake(checked: Checked) -> None:
    checked.labels("backend-green", app="backend-green", version="green")
    checked.labels("workers-blue", app="workers")
    assert checked.run() == 1
    assert checked.lines() == [
        "15:20: `backend-green`: expected a Deployment whose pods carry app=backend (app=backend-green,version=green)",
        "17:31: `workers-blue`: expected a Deployment whose pods carry version=blue (app=workers)",
    ]


def test_an_autoscaler_that_leaves_the_other_colour_too_small_is_a_remark(checked: Checked) -> None:
    checked.cluster.scalers = [scaler("shop", "backend-green", 2), scaler("shop", "model", 1)]
    assert checked.run() == 0
    assert checked.lines()[0] == (
        "15:20: `backend-green`: expected maxReplicas of 3 or more in backend-green: backend-blue has 3 pods, and "
        "backend-green may have 2 (no mistake)"
    )


def test_a_member_without_series_is_said_at_its_name(checked: Checked) -> None:
    checked.cluster.series = requests_of("shop", "model-77c9-fghij")
    assert checked.run() == 1
    assert checked.lines() == [
        "15:20: `backend`: expected series of http_requests_total for the workloads of the member backend: the signal "
        "errors has none in shop"
    ]


def test_a_cluster_that_refuses_is_never_called_good(checked: Checked) -> None:
    checked.cluster.forbidden = {"/api/v1/namespaces/shop/services"}
    assert checked.run() == 3
    assert "what the release sets of shop stand on cannot be listed: services of shop: 403" in checked.err

"""`init` writes a first policy from what it finds, and says what it could not find."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.cli.main import call
from rollguard.model.policy import Mode, Policy
from rollguard.policy import load
from tests.unit.cli.clusters import Cluster, cluster, coloured, deployment, requests_of, service

__all__ = ["cluster"]
DEPLOYMENTS = "/apis/apps/v1/deployments"
SERVICES = "/api/v1/services"
EVENTS = ("crash-loop", "image-pull", "progress-deadline")


class Begun:
    """Runs the command, and has the text that it wrote and what it said."""

    def __init__(self, cluster: Cluster, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.cluster, self.directory, self.capsys = cluster, directory, capsys
        self.file = directory / "policy.yaml"
        self.text = self.out = self.err = ""

    def run(self, *more: str, context_namespace: str = "default") -> int:
        config = str(self.cluster.kubeconfig(self.directory, context_namespace))
        code = call(["init", "--kubeconfig", config, "--output", str(self.file), *more])
        self.out, self.err = self.capsys.readouterr()
        self.text = self.file.read_text() if self.file.exists() else ""
        return code

    def policy(self) -> Policy:
        found = load(self.text, "policy.yaml")
        assert isinstance(found, Policy), found
        return found


@pytest.fixture
def begun(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Begun:
    cluster.namespaces += ["monitoring", "kube-system"]
    cluster.services = [service("shop", "cart", 80, app="cart"), service("monitoring", "prometheus", 9090)]
    return Begun(cluster, tmp_path, capsys)


def test_a_cluster_with_the_usual_names_needs_ten_lines_and_the_preset(begun: Begun) -> None:
    assert begun.run() == 0, begun.err
    lines = [line for line in begun.text.splitlines() if not line.startswith("#")]
    assert len(lines) <= 15
    policy = begun.policy()
    assert policy.name == "shop"
    assert policy.metrics.address == "http://prometheus.monitoring.svc:9090"
    (watch,) = policy.watches
    assert (watch.namespace, watch.workloads, watch.mode) == ("shop", ("cart", "checkout"), Mode.OBSERVE)
    assert watch.signals == ("errors", "latency", *EVENTS)
    assert "2 Deployments, 1 with a Service, 0 with an autoscaler" in begun.out
    assert "requests: http_requests_total, status in `status`" in begun.out


def test_a_store_that_only_the_cluster_reaches_is_asked_through_the_api_server_and_so_said(begun: Begun) -> None:
    begun.run()
    assert "metrics: http://prometheus.monitoring.svc:9090, asked through the API server" in begun.out
    assert "# ! the metrics store was asked through the API server" in begun.text


def test_what_it_wrote_is_good_for_the_cluster_too(begun: Begun) -> None:
    begun.run()
    config = str(begun.cluster.kubeconfig(begun.directory))
    assert call(["policy", "check", str(begun.file), "--cluster", "--kubeconfig", config]) == 0


def test_it_never_writes_over_a_file(begun: Begun) -> None:
    begun.file.write_text("mine")
    assert begun.run() == 2
    assert begun.text == "mine"
    assert "exists already: name another with --output" in begun.err
    assert begun.cluster.asked == []


def test_an_empty_cluster_is_said_and_nothing_is_written(begun: Begun) -> None:
    begun.cluster.deployments = [deployment("kube-system", "coredns")]
    assert begun.run() == 1
    assert "there is no Deployment outside the cluster's own namespaces: nothing to guard" in begun.err
    assert not begun.file.exists()


def test_our_own_deployment_and_those_that_opt_out_are_left_out(begun: Begun) -> None:
    mine = deployment("monitoring", "monitoring")
    mine["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "rollguard"}
    out = deployment("shop", "legacy")
    out["metadata"]["annotations"] = {"rollguard.dev/guard": "off"}
    begun.cluster.deployments += [mine, out]
    begun.run()
    assert [watch.workloads for watch in begun.policy().watches] == [("cart", "checkout")]


def test_only_the_named_namespaces_are_looked_at(begun: Begun) -> None:
    begun.cluster.deployments += [deployment("batch", "jobs"), deployment("other", "x")]
    assert begun.run("-n", "batch", "--namespace", "shop") == 0
    assert {watch.namespace for watch in begun.policy().watches} == {"shop", "batch"}


def test_workloads_without_requests_watch_events_only(begun: Begun) -> None:
    begun.cluster.deployments.append(deployment("shop", "worker"))
    begun.run()
    first, second = begun.policy().watches
    assert (second.name, second.workloads, second.signals) == ("shop-others", ("worker",), EVENTS)
    assert first.workloads == ("cart", "checkout")


def test_other_names_of_labels_are_found(begun: Begun) -> None:
    renamed = {"namespace": "kubernetes_namespace", "pod": "kubernetes_pod_name", "status": "code"}
    begun.cluster.series = [
        {renamed.get(name, name): value for name, value in labels.items()} for labels in begun.cluster.series
    ]
    begun.run()
    policy = begun.policy()
    assert (policy.metrics.namespace_label, policy.metrics.pod_label) == ("kubernetes_namespace", "kubernetes_pod_name")
    errors = next(signal for signal in policy.signals if signal.name == "errors")
    assert (errors.bad, errors.total) == ('http_requests_total{code=~"5.."}', "http_requests_total")


def test_series_without_a_pod_are_attributed_by_the_workload_and_it_says_what_that_means(begun: Begun) -> None:
    begun.cluster.series = [
        {"__name__": "http_requests_total", "namespace": "shop", "app": name, "status": "200"}
        for name in ("cart", "checkout")
    ]
    begun.run()
    assert (begun.policy().metrics.pod_label, begun.policy().metrics.workload_label) == ("", "app")
    assert "it judges before against after" in begun.text
    assert "no histogram of durations was found: latency is not watched" in begun.text


def test_bounds_lie_at_edges_that_the_buckets_have(begun: Begun) -> None:
    edges = {"0.5": "0.4", "2": "1", "5": "2.5"}
    for labels in begun.cluster.series:
        if "le" in labels:
            labels["le"] = edges.get(labels["le"], labels["le"])
    begun.run()
    latency = next(signal for signal in begun.policy().signals if signal.name == "latency")
    assert [level.bound for level in latency.levels] == [1.0, 2.5, 2.5]


def test_without_a_store_it_watches_events_and_says_what_to_do(begun: Begun) -> None:
    begun.cluster.services = []
    assert begun.run() == 0
    (watch,) = begun.policy().watches
    assert watch.signals == EVENTS
    assert "no Service is named as one: only the cluster's own events are watched; give --metrics URL" in begun.text
    assert "put the address of yours here" in begun.text


def test_an_address_that_is_given_is_used_as_it_is(begun: Begun) -> None:
    begun.cluster.services = []
    assert begun.run("--metrics", begun.cluster.store_url + "/") == 0
    assert begun.policy().metrics.address == begun.cluster.store_url
    assert "through the API server" not in begun.out


def test_a_store_that_does_not_answer_is_named_with_its_reason(begun: Begun) -> None:
    begun.cluster.store_answers = False
    assert begun.run() == 0
    assert "# ! no metrics store answered (http://prometheus.monitoring.svc:9090: " in begun.text
    assert "address: http://prometheus.monitoring.svc:9090 # it did not answer when this was written" in begun.text


def test_missing_rights_lead_to_a_smaller_policy_that_says_so(begun: Begun) -> None:
    begun.cluster.forbidden = {DEPLOYMENTS, SERVICES}
    begun.cluster.deployments.append(deployment("batch", "jobs"))
    assert begun.run(context_namespace="shop") == 0
    assert [watch.namespace for watch in begun.policy().watches] == ["shop"]
    assert f"# ! not seen: deployments of all namespaces: 403 you cannot list {DEPLOYMENTS}" in begun.text


def test_without_the_right_to_list_anything_nothing_is_written(begun: Begun) -> None:
    begun.cluster.forbidden = {DEPLOYMENTS, "/apis/apps/v1/namespaces/shop/deployments"}
    assert begun.run("-n", "shop") == 1
    assert "no Deployment may be seen in shop, nothing was written" in begun.err
    assert not begun.file.exists()


def test_names_that_yaml_reads_otherwise_are_quoted(begun: Begun) -> None:
    begun.cluster.deployments = [deployment("0644", "on"), deployment("0644", "123")]
    begun.run()
    assert begun.policy().watches[0].workloads == ("123", "on")


@pytest.mark.parametrize(
    ("name", "port", "address"),
    [
        ("thanos-query", 9090, "http://thanos-query.monitoring.svc:9090"),
        ("kube-prometheus-stack-prometheus", 9090, "http://kube-prometheus-stack-prometheus.monitoring.svc:9090"),
        ("prometheus-server", 80, "http://prometheus-server.monitoring.svc:80"),
        ("vmselect-main", 8481, "http://vmselect-main.monitoring.svc:8481/select/0/prometheus"),
        ("victoria-metrics", 8428, "http://victoria-metrics.monitoring.svc:8428"),
        ("mimir-query-frontend", 8080, "http://mimir-query-frontend.monitoring.svc:8080/prometheus"),
    ],
)
def test_stores_are_known_by_their_names(begun: Begun, name: str, port: int, address: str) -> None:
    noise = [service("monitoring", other, 9100) for other in ("prometheus-node-exporter", "prometheus-alertmanager")]
    begun.cluster.services = [*noise, service("monitoring", name, port)]
    begun.cluster.below = address.partition(f":{port}")[2]
    begun.run()
    assert begun.policy().metrics.address == address


def test_what_programs_of_the_cluster_count_is_watched_where_it_is_there(begun: Begun) -> None:
    of = {"namespace": "shop", "pod": "cart-5d4f-abcde"}
    begun.cluster.series.append({"__name__": "kube_pod_container_status_restarts_total", **of})
    begun.run()
    assert "restarts" in begun.policy().watches[0].signals
    assert "memory" not in begun.policy().watches[0].signals


# --- blue and green ---


def pairs(cluster: Cluster, *apps: str) -> None:
    """Both colours of these, beside what is there; the first two are behind a Service each."""
    cluster.deployments += [coloured("shop", app, colour) for app in apps for colour in ("blue", "green")]
    cluster.services += [service("shop", f"{app}-service", 80, app=app, version="green") for app in apps[:2]]


def test_pairs_behind_a_service_are_proposed_as_a_release_set(begun: Begun) -> None:
    pairs(begun.cluster, "backend", "frontend", "workers")
    begun.cluster.series += requests_of("shop", "backend-green-5d4f-abcde", "frontend-green-77c9-fghij")
    assert begun.run() == 0, begun.err
    (found,) = begun.policy().release_sets()
    assert (found.name, found.namespace, found.selector_key, found.colours) == (
        "shop-set",
        "shop",
        "version",
        ("blue", "green"),
    )
    assert [(member.name, member.service, member.signals) for member in found.members] == [
        ("backend", "backend-service", ()),
        ("frontend", "frontend-service", ()),
        ("workers", "", EVENTS),
    ]
    watches = begun.policy().watches
    assert [watch.workloads for watch in watches] == [(), ("cart", "checkout")]
    assert watches[0].signals == ("errors", "latency", *EVENTS)
    assert "shop: backend, frontend, workers are blue and green: a release set" in begun.out


def test_what_it_proposed_is_good_for_the_cluster_too(begun: Begun) -> None:
    pairs(begun.cluster, "backend", "frontend", "workers")
    begun.cluster.series += requests_of("shop", "backend-green-5d4f-abcde", "frontend-green-77c9-fghij")
    begun.run()
    config = str(begun.cluster.kubeconfig(begun.directory))
    assert call(["policy", "check", str(begun.file), "--cluster", "--kubeconfig", config]) == 0


def test_one_pair_is_a_set_of_its_own_name_and_without_requests_has_events_only(begun: Begun) -> None:
    pairs(begun.cluster, "backend")
    begun.run()
    (found,) = begun.policy().release_sets()
    assert found.name == "backend"
    assert begun.policy().watches[0].signals == EVENTS


def test_a_set_never_has_the_name_of_another_watch(begun: Begun) -> None:
    for colour in ("blue", "green"):
        begun.cluster.deployments.append(coloured("shop", "shop", colour))
    begun.cluster.services.append(service("shop", "shop-service", 80, app="shop", version="blue"))
    assert begun.run() == 0, begun.err
    assert [watch.name for watch in begun.policy().watches] == ["shop-set", "shop"]


@pytest.mark.parametrize(
    "selector",
    [{"app": "backend"}, {"app": "backend", "version": "red"}, {"app": "other", "version": "blue"}, {}],
    ids=["both colours", "a third one", "other pods", "none"],
)
def test_a_pair_that_no_service_chooses_between_is_two_workloads(begun: Begun, selector: dict[str, str]) -> None:
    pairs(begun.cluster, "backend")
    begun.cluster.services[-1]["spec"]["selector"] = selector
    begun.run()
    assert begun.policy().release_sets() == ()
    assert {name for watch in begun.policy().watches for name in watch.workloads} >= {"backend-blue", "backend-green"}


def test_a_second_service_of_a_pair_is_named(begun: Begun) -> None:
    pairs(begun.cluster, "backend")
    begun.cluster.services.append(service("shop", "backend-internal", 80, app="backend", version="blue"))
    begun.run()
    said = "several Services choose between the colours of backend (backend-internal, backend-service)"
    assert f"# ! shop: {said}: only backend-internal is switched with it" in begun.text


def test_more_pairs_than_a_set_may_have_are_left_to_people(begun: Begun) -> None:
    pairs(begun.cluster, *(f"m{number}" for number in range(7)))
    begun.run()
    assert begun.policy().release_sets() == ()
    assert "7 pairs blue/green, and a release set has at most 6" in begun.text

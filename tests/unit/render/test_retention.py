"""What keeps metrics: for as long as the policy says, without privileges, and not taken along by the guard's end."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from rollguard.model.policy import Policy
from rollguard.render.alerts.table import recordings
from rollguard.render.labels import OURS
from rollguard.render.retention.small import small
from rollguard.render.retention.thanos import thanos
from tests.unit.policy.texts import GOOD, added, good
from tests.unit.render.pages import platform

WORKLOADS = ("Deployment", "StatefulSet")


def rendered(policy: Policy) -> dict[str, str]:
    made = (*thanos(policy, "monitoring"), *small(policy, recordings(policy), "monitoring"))
    return {file.path: file.text for file in made}


def objects(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def of_kind(text: str, *kinds: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects(text) if each.get("kind") in kinds}


def arguments(text: str, name: str) -> list[str]:
    (container,) = of_kind(text, *WORKLOADS)[name]["spec"]["template"]["spec"]["containers"]
    found: list[str] = container["args"]
    return found


@pytest.mark.parametrize(
    ("policy", "raw", "five", "hour"),
    [
        (platform(), "15d", "90d", "365d"),
        (good(added("retention: {realTime: 40h, aggregated: 30d, longTerm: 400d}")), "1d16h", "30d", "400d"),
    ],
    ids=["platform", "others"],
)
def test_each_store_keeps_what_the_policy_says(policy: Policy, raw: str, five: str, hour: str) -> None:
    files = rendered(policy)
    compactor = arguments(files["thanos.yaml"], "thanos-compact")
    assert [each for each in compactor if each.startswith("--retention.")] == [
        f"--retention.resolution-raw={raw}",
        f"--retention.resolution-5m={five}",
        f"--retention.resolution-1h={hour}",
    ]
    small_file = files["prometheus-small.yaml"]
    assert f"--storage.tsdb.retention.time={five}" in arguments(small_file, "prometheus-aggregated")
    assert f"--storage.tsdb.retention.time={hour}" in arguments(small_file, "prometheus-long-term")
    for patch in ("thanos-sidecar.yaml", "prometheus-small-remote-write.yaml"):
        (document,) = objects(files[patch])
        assert document["spec"]["retention"] == raw


@pytest.mark.parametrize("path", ["thanos.yaml", "prometheus-small.yaml"])
def test_the_pods_have_no_privileges_and_no_token(path: str) -> None:
    for name, each in of_kind(rendered(platform())[path], *WORKLOADS).items():
        pod = each["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        claimed = {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])}
        assert mounted == {volume["name"] for volume in pod["volumes"]} | claimed


@pytest.mark.parametrize("path", ["thanos.yaml", "prometheus-small.yaml"])
def test_every_pod_is_found_by_its_service_and_closed_to_other_namespaces(path: str) -> None:
    text = rendered(platform())[path]
    (policy,) = of_kind(text, "NetworkPolicy").values()
    assert policy["spec"]["ingress"] == [{"from": [{"podSelector": {}}]}]
    services = of_kind(text, "Service")
    for name, each in of_kind(text, *WORKLOADS).items():
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert services[name]["spec"]["selector"].items() <= labels.items()
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_object_store_is_named_by_a_secret_and_no_value_is_rendered() -> None:
    text = rendered(platform())["thanos.yaml"]
    assert of_kind(text, "Secret") == {}
    for name in ("thanos-store", "thanos-compact"):
        volumes = of_kind(text, *WORKLOADS)[name]["spec"]["template"]["spec"]["volumes"]
        assert {"name": "files", "secret": {"secretName": "thanos-objstore"}} in volumes
        assert "--objstore.config-file=/etc/thanos/objstore.yml" in arguments(text, name)
    assert of_kind(text, "StatefulSet")["thanos-compact"]["spec"]["replicas"] == 1, "two would break the bucket"


def test_a_halted_compactor_is_an_alert() -> None:
    (rule,) = of_kind(rendered(platform())["thanos.yaml"], "PrometheusRule").values()
    ((alert,),) = (group["rules"] for group in rule["spec"]["groups"])
    said = 'max(thanos_compact_halted{namespace="monitoring"})'
    assert (alert["alert"], alert["expr"]) == ("MetricsCompactorHalted", f"{said} == 1 or absent({said})")
    assert alert["labels"] == {"category": "resource", "namespace": "monitoring", "severity": "warning"}


def test_uninstalling_the_guard_leaves_the_metrics() -> None:
    key, _, value = OURS.partition("=")
    for text in rendered(platform()).values():
        assert all(each.get("metadata", {}).get("labels", {}).get(key) != value for each in objects(text))


def test_each_store_of_the_small_way_is_sent_its_own_steps_of_every_signal() -> None:
    files = rendered(platform())
    (rule,) = of_kind(files["prometheus-small.yaml"], "PrometheusRule").values()
    groups = {group["interval"]: [each["record"] for each in group["rules"]] for group in rule["spec"]["groups"]}
    (patch,) = objects(files["prometheus-small-remote-write.yaml"])
    sent = {each["name"]: each["writeRelabelConfigs"][0]["regex"] for each in patch["spec"]["remoteWrite"]}
    for store, step, other in (("prometheus-aggregated", "5m", "1h"), ("prometheus-long-term", "1h", "5m")):
        assert all(re.fullmatch(sent[store], name) for name in groups[step])
        assert not any(re.fullmatch(sent[store], name) for name in groups[other])
    for signal in ("errors", "latency", "memory", "queue_depth", "database_connections"):
        assert any(f":{signal}:" in name and name.endswith("_avg5m") for name in groups["5m"])
    raw = {each.record for each in recordings(platform())}
    assert not any(re.fullmatch(regex, name) for regex in sent.values() for name in raw), "what is scraped stays"


def test_a_step_is_looked_back_for_longer_than_it_is() -> None:
    text = rendered(platform())["prometheus-small.yaml"]
    assert "--query.lookback-delta=11m" in arguments(text, "prometheus-aggregated")
    assert "--query.lookback-delta=2h5m" in arguments(text, "prometheus-long-term")


@pytest.mark.parametrize("path", ["thanos.yaml", "prometheus-small.yaml"])
def test_what_is_kept_and_what_is_not_is_said(path: str) -> None:
    about = "".join(line for line in rendered(good(GOOD))[path].splitlines() if line.startswith("#"))
    assert "Kept: " in about
    assert "Not kept" in about
    for days in ("15 days", "90 days", "365 days"):
        assert days in about

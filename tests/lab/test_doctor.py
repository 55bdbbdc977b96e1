"""On a sound lab doctor finds nothing that failed; what is wrong with policy, metrics and channels is named."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab import policies
from lab.scenarios.stage import Stage
from lab.world import Lab
from rollguard.adapters.kubernetes import Api, load
from rollguard.adapters.kubernetes.survey import Account
from rollguard.doctor import State
from rollguard.model.policy import Policy
from tests.lab.surgery import CLOCK, DEAD, Surgery, policy_of

pytestmark = pytest.mark.lab


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(lab: Lab) -> Stage:
    """A guarded model service with traffic and a known past."""
    here = Stage(lab=lab, account=await lab.install(), namespace="doctor")
    await lab.namespace(here.namespace)
    await here.guarded("translation", replicas=2, rps=40)
    await lab.deploy(here.namespace, "idle", replicas=0, rps=0)
    return here


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def there(stage: Stage) -> AsyncIterator[Surgery]:
    api = Api(load(stage.lab.kubeconfig), CLOCK)
    account = Account(namespace="monitoring", name="rollguard")
    yield Surgery(api=api, admin=stage.lab.api, account=account, guard=stage.guard_namespace)
    await api.close()


def document(stage: Stage, **spec: Any) -> dict[str, Any]:
    return policies.policy(
        namespace=stage.namespace, prometheus=stage.lab.prometheus.url, workloads=["translation"], **spec
    )


async def test_on_a_sound_lab_nothing_failed_and_each_signal_has_a_value(stage: Stage, tmp_path: Path) -> None:
    policy = policies.write(tmp_path / "policy.json", document(stage))
    command = [str(Path(sys.executable).with_name("rollguard")), "doctor", "--policy", str(policy)]
    command += ["--kubeconfig", str(stage.lab.kubeconfig), "--guard-namespace", stage.guard_namespace]
    command += ["--account", "monitoring/rollguard", "-o", "json"]
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    took = time.monotonic() - began
    found = json.loads(out)
    print(f"doctor took {took:.1f} s: {found['summary']}")
    assert [check for check in found["checks"] if check["state"] == "failed"] == []
    assert process.returncode == 0
    values = {check["subject"]: check for check in found["checks"] if check["name"] == "signal"}
    assert values["errors of doctor/translation"]["state"] == "ok"
    assert "requests in 8s" in values["errors of doctor/translation"]["found"]
    assert values["latency of doctor/translation"]["state"] == "ok"
    by_name = {check["name"]: check for check in found["checks"]}
    for name in (
        "version",
        "definitions",
        "admission",
        "enforced",
        "rights",
        "leader",
        "clock",
        "way-back",
        "store",
        "interval",
        "apart",
        "edges",
    ):
        assert by_name[name]["state"] == "ok", by_name[name]


SPOILED: dict[str, tuple[dict[str, Any], str, State, str]] = {
    "a dead address": ({"metrics": {"address": DEAD}}, "store", State.FAILED, "127.0.0.1:9"),
    "no series": (
        {"signals": {"errors": {"total": "http_requests_of_nobody_total"}}},
        "signal",
        State.FAILED,
        "blind, because the store has no series of http_requests_of_nobody_total",
    ),
    "no series of what is not required": (
        {"signals": {"errors": {"total": "http_requests_of_nobody_total", "required": False}}},
        "signal",
        State.WARNING,
        "no value, because the store has no series of http_requests_of_nobody_total",
    ),
    "no series of what is shared": (
        {"signals": {"database-errors": {"counter": "of_nobody_total", "scope": "shared", "required": True}}},
        "signal",
        State.FAILED,
        "database-errors (shared): blind, because",
    ),
    "no pods": (
        {"watch": "idle"},
        "signal",
        State.WARNING,
        "no value, because the workload has no pods",
    ),
    "no pod label": ({"labels": {"pod": "pod_name"}}, "apart", State.FAILED, "carries `pod_name`"),
    "blind without the label": ({"labels": {"pod": "pod_name"}}, "signal", State.FAILED, "blind, because none of"),
    "no namespace label": (
        {"labels": {"namespace": "kubernetes_namespace"}},
        "signal",
        State.FAILED,
        "carries the label `kubernetes_namespace`",
    ),
    "before against after": ({"labels": {"pod": ""}}, "apart", State.WARNING, "before against after only"),
    "no edge beyond the bound": (
        {"latency": "300s"},
        "edges",
        State.FAILED,
        "level rollback can never be reached",
    ),
    "no edge at the bound": ({"latency": "7s"}, "edges", State.WARNING, "rollback at 7s is judged at 10s"),
    "the server's clock": ({"timing": {"clockOffset": "1ms"}}, "clock", State.FAILED, "API server: "),
    "the store's clock": ({"timing": {"clockOffset": "1ms"}}, "clock", State.FAILED, "metrics store: "),
    "scraped too seldom": ({"interval": "300ms"}, "interval", State.FAILED, "every 1s, the policy says 300ms"),
    "scraped more often": (
        {"interval": "2s", "timing": {"slot": "4s"}},
        "interval",
        State.WARNING,
        "it is judged later than it could be",
    ),
    "little traffic": (
        {"signals": {"errors": {"minimumTraffic": 900_000}}},
        "signal",
        State.WARNING,
        "too little traffic",
    ),
    "no such workload": ({"watch": "lip-sync"}, "watch", State.FAILED, "there is no Deployment doctor/lip-sync"),
    "no such labels": (
        {"selector": {"matchLabels": {"team": "nobody"}}},
        "watch",
        State.FAILED,
        "no Deployment of doctor has the labels team=nobody",
    ),
    "no such namespace": ({"namespace": "doctor-nowhere"}, "namespace", State.FAILED, "there is no such namespace"),
    "no channel": ({}, "set up", State.WARNING, "none is set up: notices go to the guard's log alone"),
    "a dead channel": (
        {"notify": {"webhooks": [{"name": "hook", "url": f"{DEAD}/secret-path"}]}},
        "channel",
        State.FAILED,
        "port 9 took no connection",
    ),
    "a missing file": (
        {"auth": {"bearerTokenFile": "/nowhere/token"}},
        "file",
        State.FAILED,
        "/nowhere/token",
    ),
}


def spoil(stage: Stage, change: dict[str, Any]) -> Policy:
    made = document(stage)
    spec = made["spec"]
    metrics = spec["metrics"]
    metrics |= change.get("metrics", {})
    metrics |= {"labels": change["labels"]} if "labels" in change else {}
    metrics |= {"scrapeInterval": change["interval"]} if "interval" in change else {}
    metrics |= {"auth": change["auth"]} if "auth" in change else {}
    for name, keys in change.get("signals", {}).items():
        spec["signals"][name] |= keys
    if "latency" in change:
        bounds = {"warning": "500ms", "critical": "2s", "rollback": change["latency"]}
        levels = {name: {"p95": bound, "for": f"{policies.WINDOW_S}s"} for name, bound in bounds.items()}
        spec["signals"]["latency"]["levels"] = levels
    spec["timing"] |= change.get("timing", {})
    spec |= {"notify": change["notify"]} if "notify" in change else {}
    if "watch" in change:
        spec["watch"][0]["workloads"] = [change["watch"]]
    if "selector" in change:
        del spec["watch"][0]["workloads"]
        spec["watch"][0]["selector"] = change["selector"]
    if "namespace" in change:
        spec["watch"][0]["namespace"] = change["namespace"]
    return policy_of(made)


@pytest.mark.parametrize("case", SPOILED)
async def test_what_is_wrong_with_policy_metrics_and_channels_is_named(case: str, stage: Stage, there: Surgery) -> None:
    change, name, state, words = SPOILED[case]
    check = await there.until_named(spoil(stage, change), name, state, words)
    assert "secret-path" not in str(check)


async def test_a_store_that_stops_is_named_by_the_controller_in_status_and_taken_back(stage: Stage) -> None:
    """The controller examines at its start: one whose policy names a dead store says so in the record of everything."""
    guard_namespace = await stage.lab.namespace("doctor-blind-guard")
    made = policies.policy(namespace=stage.namespace, prometheus=DEAD, workloads=["translation"])
    policy = policies.write(stage.lab.workdir / "doctor-blind-policy.json", made)
    await stage.lab.grant(policy, namespace=guard_namespace)
    guard = stage.lab.controller(policy, kubeconfig=stage.account, name="doctor-blind", namespace=guard_namespace)
    path = f"/apis/rollguard.dev/v1alpha1/namespaces/{guard_namespace}/guardedunits/rollguard-all"
    seen: list[Any] = [None]

    async def told() -> bool:
        seen[0] = await stage.lab.api.find(path)
        conditions = (seen[0] or {}).get("status", {}).get("conditions", [])
        return any(each["name"] == "DoctorStore" and "127.0.0.1:9" in each["value"] for each in conditions)

    await stage.lab.until(told, what="the condition DoctorStore", seen=lambda: seen[0])
    await guard.stop()
    failed_ = [record for record in guard.records() if record.get("event") == "doctor-failed"]
    assert [record["check"] for record in failed_] == ["store"]

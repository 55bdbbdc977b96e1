"""The first policy of a user, on a real control plane and a real Prometheus."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from lab.world import Lab
from rollguard.cli.main import call
from rollguard.model.policy import Mode, Policy
from rollguard.policy import load

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]
NAMESPACE = "first-policy"


async def command(*words: str) -> int:
    """A command's exit code; it has an event loop of its own."""
    return await asyncio.to_thread(call, words)


async def is_scraped(lab: Lab, name: str) -> bool:
    promql = f'http_requests_total{{namespace="{NAMESPACE}",pod=~"{name}-.*"}}'
    answer = await lab.http.get(f"{lab.prometheus.url}/api/v1/query", params={"query": promql})
    return bool(answer.json()["data"]["result"])


async def test_what_init_finds_is_a_policy_that_the_cluster_knows(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await lab.namespace(NAMESPACE)
    for name in ("translation", "lip-sync"):
        await lab.deploy(NAMESPACE, name, rps=5)
        await lab.until_rolled_out(NAMESPACE, name)
        await lab.until(partial(is_scraped, lab, name), what=f"{name} is scraped")

    file, where = tmp_path / "policy.yaml", ("--kubeconfig", str(lab.kubeconfig))
    found = ("init", "-n", NAMESPACE, "--metrics", lab.prometheus.url, "--output", str(file), *where)
    assert await command(*found) == 0, capsys.readouterr().err
    policy = load(file.read_text(), str(file))
    assert isinstance(policy, Policy), policy
    (watch,) = policy.watches
    assert (watch.workloads, watch.mode) == (("lip-sync", "translation"), Mode.OBSERVE)
    assert {"errors", "latency", "crash-loop"} <= set(watch.signals or [signal.name for signal in policy.signals])
    assert policy.metrics.scrape_interval == pytest.approx(1.0, abs=0.2)

    assert await command("policy", "check", str(file), "--cluster", *where) == 0, capsys.readouterr()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(file.read_text().replace("lip-sync", "lipsync"))
    capsys.readouterr()
    assert await command("policy", "check", str(wrong), "--cluster", *where) == 1
    assert "`lipsync`: expected a Deployment of the namespace first-policy" in capsys.readouterr().out
    assert await command(*found) == 2


async def test_a_store_without_pods_is_asked_through_the_api_server_and_its_words_are_kept(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = f"{NAMESPACE}-store"
    await lab.namespace(namespace)
    await lab.deploy(namespace, "translation", rps=0)
    spec = {"ports": [{"port": 9090}], "selector": {"app": "nobody"}}
    service = {"metadata": {"name": "prometheus"}, "spec": spec}
    await lab.api.create(f"/api/v1/namespaces/{namespace}/services", service)

    file = tmp_path / "policy.yaml"
    assert await command("init", "-n", namespace, "--output", str(file), "--kubeconfig", str(lab.kubeconfig)) == 0
    assert "by the API server's proxy: 503 no endpoints available for service" in file.read_text()
    assert isinstance(load(file.read_text(), str(file)), Policy)

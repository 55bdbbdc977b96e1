"""The small way of keeping metrics, with real Prometheus: the rules are taken, and each store gets its own steps."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from lab import programs
from rollguard.render.alerts.table import recordings
from rollguard.render.retention.small import groups, small
from rollguard.render.retention.thanos import thanos
from tests.contract.metrics_prometheus import Store, started
from tests.unit.render.pages import platform

POLICY = platform()
SOURCE = "deployment:errors:ratio_rate5m"


def objects() -> list[dict[str, Any]]:
    made = (*thanos(POLICY, "monitoring"), *small(POLICY, recordings(POLICY), "monitoring"))
    return [each for file in made for each in yaml.safe_load_all(file.text)]


def promtool(*words: str) -> None:
    """Runs it; fails the test where it is not content."""
    found = str(programs.require(["promtool"])["promtool"])
    done = subprocess.run([found, *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    for each in objects():
        if each.get("kind") == "PrometheusRule":
            rules = tmp_path / f"{each['metadata']['name']}.yaml"
            rules.write_text(yaml.safe_dump(each["spec"]))
            promtool("check", "rules", str(rules))


# Another compactor, elsewhere, says nothing about this one.
ELSEWHERE = {"series": 'thanos_compact_halted{namespace="other",pod="thanos-compact-0"}', "values": "0x40"}


@pytest.mark.parametrize("values", ["0 1x10 0x20", "0 stale _x9 0x20"], ids=["halted", "gone"])
def test_a_compactor_that_has_halted_or_is_gone_fires_after_five_minutes_and_not_before(
    values: str, tmp_path: Path
) -> None:
    (spec,) = (each["spec"] for each in objects() if "thanos_compact_halted" in str(each))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    ((rule,),) = (group["rules"] for group in spec["groups"])
    link = rule["annotations"]["dashboard_url"].replace("{{ $labels.namespace }}", "monitoring")
    fires = {"exp_labels": rule["labels"], "exp_annotations": {**rule["annotations"], "dashboard_url": link}}
    at = [
        {"alertname": rule["alert"], "eval_time": when, "exp_alerts": expected}
        for when, expected in (("5m59s", []), ("6m", [fires]), ("20m", []))
    ]
    own = {"series": 'thanos_compact_halted{namespace="monitoring",pod="thanos-compact-0"}', "values": values}
    case = {"interval": "1m", "input_series": [own, ELSEWHERE], "alert_rule_test": at}
    (tmp_path / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1s", "tests": [case]})
    )
    promtool("test", "rules", str(tmp_path / "test.yaml"))


def flags(name: str, directory: Path) -> list[str]:
    """The flags of a store as rendered, with paths of this machine."""
    (found,) = (each for each in objects() if each.get("kind") == "StatefulSet" and each["metadata"]["name"] == name)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    (config,) = (each["data"]["prometheus.yml"] for each in objects() if each.get("kind") == "ConfigMap")
    directory.mkdir()
    (directory / "prometheus.yml").write_text(config)
    return [
        each.replace("=/etc/prometheus/", f"={directory}/").replace("path=/prometheus", f"path={directory}/data")
        for each in container["args"]
    ]


def sender(directory: Path, addresses: dict[str, str]) -> str:
    """The configuration of the Prometheus that scrapes: the rendered rules, but every second, and the rendered remote
    write as a file without an operator has it."""
    rules = [{"record": SOURCE, "expr": "vector(0.25)", "labels": {"deployment": "web"}}]
    fast = [{**group, "interval": "1s"} for group in groups(POLICY, recordings(POLICY)) if isinstance(group, dict)]
    directory.mkdir()
    (directory / "rules.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "source", "interval": "1s", "rules": rules}, *fast]})
    )
    (patch,) = (each for each in objects() if "remoteWrite" in each.get("spec", {}))
    writes = [
        {
            "name": each["name"],
            "url": addresses[each["name"]] + "/api/v1/write",
            "queue_config": {"batch_send_deadline": "1s"},
            "write_relabel_configs": [
                {"source_labels": one["sourceLabels"], "regex": one["regex"], "action": one["action"]}
                for one in each["writeRelabelConfigs"]
            ],
        }
        for each in patch["spec"]["remoteWrite"]
    ]
    config = directory / "prometheus.yml"
    config.write_text(yaml.safe_dump({"rule_files": [str(directory / "rules.yml")], "remote_write": writes}))
    return str(config)


async def names(store: Store) -> set[str]:
    """The names of all series that a store has by now."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{store.address}/api/v1/label/__name__/values")
    return set(answer.json()["data"])


async def test_each_store_gets_its_own_steps_and_nothing_else(tmp_path: Path) -> None:
    five, hour = tmp_path / "five", tmp_path / "hour"
    async with (
        started(tmp_path, *flags("prometheus-aggregated", five)) as aggregated,
        started(tmp_path, *flags("prometheus-long-term", hour)) as long_term,
    ):
        addresses = {"prometheus-aggregated": aggregated.address, "prometheus-long-term": long_term.address}
        config = sender(tmp_path / "sender", addresses)
        data = f"--storage.tsdb.path={tmp_path}/sent"

        async def arrived() -> bool:
            return min(len(await names(aggregated)), len(await names(long_term))) >= 2

        async with started(tmp_path, f"--config.file={config}", data):
            await aggregated.child.until(arrived, what="samples by remote write")
        assert await names(aggregated) == {f"{SOURCE}_avg5m", f"{SOURCE}_max5m"}
        assert await names(long_term) == {f"{SOURCE}_avg1h", f"{SOURCE}_max1h"}
        async with httpx2.AsyncClient(trust_env=False) as client:
            told = await client.get(f"{long_term.address}/api/v1/status/flags")
        assert told.json()["data"]["storage.tsdb.retention.time"] in ("365d", "52w1d", "1y")

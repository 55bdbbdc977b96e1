"""The lab's Prometheus: the real program, finding pods and nodes through the real Kubernetes API."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab import processes, programs
from lab.controlplane import ControlPlane
from lab.files import write_whole
from lab.processes import ProcessError
from lab.served import Served

POD_LABELS = {
    "__meta_kubernetes_namespace": "namespace",
    "__meta_kubernetes_pod_name": "pod",
    "__meta_kubernetes_pod_node_name": "node",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraping:
    """What is scraped, beside the pods, and how often.

    Addresses are `host:port`; None leaves one out. `nodes` maps a node's name to its kubelet's address.
    """

    interval: str = "1s"
    exporter: str | None = None
    load_generator: str | None = None
    nodes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert that is pending or firing."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    firing: bool


@dataclass(slots=True, kw_only=True)
class Prometheus(Served):
    """A Prometheus that keeps its data when it is killed and started again."""

    plane: ControlPlane
    scraping: Scraping

    @property
    def rules_directory(self) -> Path:
        """Where its rule files lie."""
        return self.workdir / "rules"

    @property
    def guards_file(self) -> Path:
        """Names the controllers that are scraped; it is read again whenever it changes."""
        return self.workdir / "guards.json"

    @property
    def alertmanagers_file(self) -> Path:
        """Names the Alertmanagers that are told of alerts; it is read again whenever it changes."""
        return self.workdir / "alertmanagers.json"

    async def start(self) -> None:
        """Starts it, on the port that it had before if it had one; returns when it answers queries."""
        # JSON is YAML, and leaves no doubt about what is a string.
        scraped = configuration(self.plane, self.scraping, guards=self.guards_file)
        ruled = {
            "rule_files": [f"{self.rules_directory}/*.yaml"],
            "alerting": {"alertmanagers": [{"file_sd_configs": [{"files": [str(self.alertmanagers_file)]}]}]},
        }
        self.rules_directory.mkdir(exist_ok=True)
        await self.begin(
            json.dumps(scraped | ruled, indent=2),
            f"--storage.tsdb.path={self.workdir / 'prometheus-data'}",
            "--web.enable-lifecycle",
            # Its own default of 5 s is longer than a whole scaled window of the lab.
            "--scrape.discovery-reload-interval=1s",
        )

    async def query(self, expression: str) -> dict[str, float]:
        """The answer of an instant query as value by series, a series written as its labels in order."""
        async with self.client() as client:
            answer = await client.post("/api/v1/query", data={"query": expression})
        if answer.status_code != 200:
            raise ProcessError(f"Prometheus refused {expression!r}: {answer.text}")
        values: dict[str, float] = {}
        for sample in answer.json()["data"]["result"]:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample["metric"].items()))
            values[labels] = float(sample["value"][1])
        return values

    async def drawn(self, expression: str, *, seconds: float) -> int:
        """How many lines a panel would draw of the last seconds: the series of the answer to a range query.

        Raises ProcessError where Prometheus refuses it.
        """
        now = time.time()
        asked = {"query": expression, "start": f"{now - seconds}", "end": f"{now}", "step": "5"}
        async with self.client() as client:
            answer = await client.post("/api/v1/query_range", data=asked)
        if answer.status_code != 200:
            raise ProcessError(f"Prometheus refused {expression!r}: {answer.text}")
        return len(answer.json()["data"]["result"])

    async def load_rules(self, name: str, text: str) -> None:
        """Takes in a rule file, in the place of an earlier one of that name.

        Raises ProcessError with the end of its log, where the reason is, and takes it back where it refuses the file.
        """
        file = self.rules_directory / f"{name}.yaml"
        file.write_text(text)
        if not await self.reload():
            file.unlink()
            raise ProcessError(f"Prometheus refused the rules {name}; the end of its log:\n{self.process().tail()}")

    async def drop_rules(self, name: str) -> None:
        """Takes a rule file back; its alerts are gone."""
        (self.rules_directory / f"{name}.yaml").unlink()
        await self.reload()

    async def alerts(self) -> list[Alert]:
        """The alerts that are pending or firing now."""
        async with self.client() as client:
            answer = await client.get("/api/v1/alerts")
        return [
            Alert(
                name=alert["labels"]["alertname"],
                labels=alert["labels"],
                annotations=alert["annotations"],
                firing=alert["state"] == "firing",
            )
            for alert in answer.json()["data"]["alerts"]
        ]

    def scrape_guards(self, guards: Mapping[str, Mapping[str, str]]) -> None:
        """Scrapes these controllers' metrics, and no others: labels by address, `host:port`."""
        _found(self.guards_file, guards)

    def tell(self, *alertmanagers: str) -> None:
        """Sends alerts to these Alertmanagers, `host:port`, and to no others."""
        _found(self.alertmanagers_file, {address: {} for address in alertmanagers})

    @classmethod
    @asynccontextmanager
    async def running(cls, workdir: Path, plane: ControlPlane, scraping: Scraping) -> AsyncIterator["Prometheus"]:
        """A Prometheus for the length of the block."""
        binary = programs.require(["prometheus"])["prometheus"]
        prometheus = cls(workdir=workdir, binary=binary, plane=plane, scraping=scraping)
        try:
            await processes.start_on_a_free_port(prometheus)
            yield prometheus
        finally:
            await prometheus.stop()


def _found(file: Path, targets: Mapping[str, Mapping[str, str]]) -> None:
    """Names the targets, with their labels, in a file that Prometheus reads again, whole or not at all."""
    write_whole(file, json.dumps([{"targets": [each], "labels": dict(labels)} for each, labels in targets.items()]))


def configuration(plane: ControlPlane, scraping: Scraping, *, guards: Path) -> dict[str, object]:
    """The configuration file's content; `guards` is the file that names controllers to scrape."""
    jobs: list[dict[str, object]] = [_pods_job(plane)]
    if scraping.nodes:
        jobs.append(_cadvisor_job(scraping.nodes))
    if scraping.exporter:
        jobs.append(_static_job("kube-state-metrics", scraping.exporter))
        jobs.append(_static_job("postgres-exporter", scraping.exporter) | {"metrics_path": "/metrics/database"})
    if scraping.load_generator:
        jobs.append(_static_job("load-generator", scraping.load_generator))
    # Its series name what they are about, as kube-state-metrics' do.
    jobs.append({"job_name": "rollguard", "honor_labels": True, "file_sd_configs": [{"files": [str(guards)]}]})
    return {
        "global": {
            "scrape_interval": scraping.interval,
            "scrape_timeout": scraping.interval,
            "evaluation_interval": scraping.interval,
        },
        "scrape_configs": jobs,
    }


def _static_job(name: str, address: str) -> dict[str, object]:
    return {"job_name": name, "honor_labels": True, "static_configs": [{"targets": [address]}]}


def _discovery(plane: ControlPlane) -> dict[str, object]:
    return {
        "role": "pod",
        "api_server": plane.url,
        "tls_config": {"ca_file": str(plane.ca_file)},
        "authorization": {"credentials_file": str(plane.admin_token_file)},
    }


def _pods_job(plane: ControlPlane) -> dict[str, object]:
    port = "__meta_kubernetes_pod_annotation_prometheus_io_port"
    relabelling: list[dict[str, object]] = [
        _rule("drop", ["__meta_kubernetes_pod_phase"], "Succeeded|Failed"),
        _rule("drop", ["__meta_kubernetes_pod_annotation_prometheus_io_scrape"], "false"),
        _rule("keep", ["__meta_kubernetes_pod_container_port_name", port], "http;.*|.*;.+"),
        # An annotated port goes before the container's; `job` and the rest stay as they are.
        _rule("replace", ["__address__", port], r"([^:]+)(?::\d+)?;(\d+)", "__address__", "$1:$2"),
        # A pod's address cannot be a loopback one: its app listens on the loopback address of the same digits.
        _rule("replace", ["__address__"], r"10\.244\.(.+)", "__address__", "127.244.$1"),
        _rule(
            "replace",
            ["__meta_kubernetes_pod_controller_kind", "__meta_kubernetes_pod_controller_name"],
            "ReplicaSet;(.+)-[a-z0-9]+",
            "deployment",
        ),
    ]
    relabelling += [_rule("replace", [meta], "(.+)", label) for meta, label in POD_LABELS.items()]
    return {
        "job_name": "pods",
        "kubernetes_sd_configs": [_discovery(plane)],
        "relabel_configs": relabelling,
    }


def _cadvisor_job(nodes: Mapping[str, str]) -> dict[str, object]:
    targets = [{"targets": [address], "labels": {"node": node}} for node, address in nodes.items()]
    return {
        "job_name": "cadvisor",
        "metrics_path": "/metrics/cadvisor",
        "honor_labels": True,
        "static_configs": targets,
    }


def _rule(
    action: str, sources: list[str], regex: str, target: str | None = None, replacement: str = "$1"
) -> dict[str, object]:
    rule: dict[str, object] = {"action": action, "source_labels": sources, "regex": regex}
    if target is not None:
        rule |= {"target_label": target, "replacement": replacement}
    return rule

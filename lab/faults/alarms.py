"""What alert rules are shown: workloads that do well and workloads that each fail in one way, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab import manifests, policies
from lab.api import MERGE
from lab.controller import Controller
from lab.kubelet.behaviour import MIB
from lab.manifests import Manifest
from lab.parts import REPOSITORY
from lab.platform import AUTOSCALERS, COLOURS, KEY, SERVICES, WORKERS, Platform, Shape
from lab.world import Lab
from rollguard.model.alerting import LASTING
from rollguard.policy.durations import parse

EXAMPLE = REPOSITORY / "examples" / "dubbing-platform" / "policy.yaml"
PRESET = REPOSITORY / "src" / "rollguard" / "policy" / "presets" / "dubbing-platform.yaml"
SCALE = 50
FOR_S = policies.WINDOW_S
"""The shortest duration, and every range: what stands for the platform's 5 minutes."""
OF_EVENTS = {
    "crash-loop": [
        {"name": "PodCrashLooping", "level": "critical", "for": "0s", "over": f"{FOR_S}s"},
        {"name": "RollbackCrashLoop", "level": "rollback", "for": "0s", "over": f"{FOR_S}s"},
    ],
    "image-pull": [{"name": "ImagePullBackOff", "level": "critical", "for": f"{FOR_S}s"}],
    "progress-deadline": [{"name": "DeploymentFailed", "level": "critical", "for": f"{FOR_S}s"}],
    "migration-failed": [{"name": "DatabaseMigrationFailed", "level": "critical", "for": "0s", "over": "5m"}],
}
"""The alerts on events as they are called where a policy names none, with their durations scaled."""
RECENT_S = 36
"""How long after a rollout its release is the first suspect; stands for the platform's half hour."""
GOOD = "v1-noerrors"
SET_RPS = 6
JOBS = 3
MIGRATION = "prisma-migrate-3f2a9c1"
BARE_MIGRATION = "prisma-migrate-by-hand"
NOWHERE = "nowhere"
"""What an autoscaler scales that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One workload, and what becomes of it."""

    name: str
    tag: str = ""
    """What is released; nothing where it is empty."""
    replicas: int = 1
    rps: float = 5
    rps_later: float | None = None
    """Its traffic from the release on, where it changes."""
    chaos: Mapping[str, Any] = field(default_factory=dict)
    """A rule of lab.kubelet.chaos, from the release on."""
    deadline_s: int = 600
    """The Deployment's progress deadline."""
    autoscaler: Mapping[str, Any] = field(default_factory=dict)
    """The `spec` of its autoscaler, but for the target."""
    unmeasured: bool = False
    """From the release on its autoscaler asks for a metric that nobody measures."""


def _cpu(least: int, most: int) -> dict[str, Any]:
    usage = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    return {"minReplicas": least, "maxReplicas": most, "metrics": [{"type": "Resource", "resource": usage}]}


_UNKNOWN_METRIC = {
    "type": "Pods",
    "pods": {"metric": {"name": "nobody_measures_it"}, "target": {"type": "AverageValue", "averageValue": "1"}},
}
WELL = (
    Case(name="healthy", tag="v2-noerrors", replicas=2, rps=8),
    Case(name="scaled", rps=8, rps_later=55, autoscaler=_cpu(1, 6)),
    Case(name="quiet", tag="v2-noerrors", rps=1),
)
ILL = (
    Case(name="errors", tag="v2-errors-25pct", rps=12),
    Case(name="some-errors", chaos={"error_ratio": 0.03}, rps=40),
    Case(name="old-errors", chaos={"error_ratio": 0.25}, rps=12),
    Case(name="slow", tag="v2-slow-5500ms-30pct-noerrors", rps=12),
    Case(name="crashing", tag="v2-crash"),
    Case(name="no-image", tag="v2-missing"),
    Case(name="stuck", tag="v2-noready"),
    Case(name="late", tag="v2-noready", deadline_s=5),
    Case(name="memory", tag="v2-noerrors", chaos={"memory_bytes": 140 * MIB}),
    Case(name="busy", chaos={"cpu_cores": 0.46}),
    Case(name="no-database", tag="v2-dberrors-60permin-noerrors"),
    Case(name="at-most", chaos={"cpu_cores": 0.2}, autoscaler=_cpu(1, 2)),
    Case(name="unmeasured", autoscaler=_cpu(1, 2), unmeasured=True),
    Case(name="unseen", tag="v2-silent"),
    Case(name="abandoned", rps=8, rps_later=0),
)
HELD = Case(name="held", tag="v2-pull-429")
CASES = (*WELL, *ILL, HELD)


def policy(namespace: str, prometheus: str) -> dict[str, Any]:
    """The platform's policy for these workloads and its release set, its durations scaled. The guard only looks on; it
    acts for `held` alone, and there it holds: a registry that has enough is not the release."""
    signals: dict[str, Any] = {}
    for source, *keys in (PRESET, "signals"), (EXAMPLE, "spec", "signals"):
        found = YAML(typ="safe").load(source.read_text())
        for key in keys:
            found = found[key]
        signals |= _scaled(found)
    for name, alerts in OF_EVENTS.items():
        signals[name] = {"alerts": alerts}
    of_jobs = ["job-failures", "queue-depth", "oldest-job"]
    # A migration that fails is everybody's affair: the guard would tell of nothing else.
    usual = [name for name in signals if name not in (*of_jobs, "migration-failed")]
    members: list[dict[str, Any]] = [{"name": name, "service": service} for name, service in SERVICES.items()]
    members += [{"name": WORKERS, "signals": [*of_jobs, "restarts", "crash-loop"]}]
    return policies.policy(
        namespace=namespace,
        prometheus=prometheus,
        mode="observe",
        watch=[
            _watch(namespace, "all", usual, workloads=[case.name for case in (*WELL, *ILL)]),
            _watch(namespace, HELD.name, ["image-pull"], workloads=[HELD.name], mode="automatic"),
            _watch(
                namespace,
                policies.SET,
                usual,
                releaseSet={"selectorKey": KEY, "colours": [*COLOURS], "members": members},
            ),
        ],
        signals=signals,
        migration={"pattern": "prisma-migrate-*", "interlock": "off"},
        window=policies.window(RECENT_S),
        alerts={"for": {name: _duration(seconds) for name, seconds in LASTING.items()}},
    )


def _watch(namespace: str, name: str, signals: list[str], **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "signals": signals, **more}


def _scaled(found: Any) -> Any:
    """A part of the preset in which minutes are seconds."""
    if isinstance(found, dict):
        return {
            key: _duration(parse(value)) if key in ("for", "over") else _scaled(value) for key, value in found.items()
        }
    if isinstance(found, list):
        return [_scaled(each) for each in found]
    return found.replace("[5m]", f"[{FOR_S}s]") if isinstance(found, str) else found


def _duration(seconds: float | None) -> str:
    return f"{max(FOR_S, round(seconds / SCALE))}s" if seconds else "0s"


@dataclass(slots=True, kw_only=True)
class Field:
    """The workloads in their namespace, with a database, and the guard that looks on."""

    lab: Lab
    namespace: str
    platform: Platform
    policy: Path
    """The policy's file."""
    guards: list[Controller] = field(default_factory=list)

    @classmethod
    def of(cls, lab: Lab, namespace: str) -> Field:
        """Nothing but the policy is there yet."""
        file = policies.write(lab.workdir / f"{namespace}.json", policy(namespace, lab.prometheus.url))
        shape = Shape(tag=GOOD, replicas=1, idle=1, grace_s=2)
        return cls(
            lab=lab, namespace=namespace, platform=Platform(lab=lab, namespace=namespace, shape=shape), policy=file
        )

    async def prepare(self) -> None:
        """Makes all workloads in their first version, and the guard; returns when no rollout is recent any more, and
        the guard is known to lead."""
        lab, namespace = self.lab, self.namespace
        await Platform.deploy(lab, namespace, self.platform.shape)
        await self.platform.traffic(SET_RPS, jobs=JOBS)
        for case in CASES:
            await lab.deploy(
                namespace,
                case.name,
                tag=GOOD,
                rps=case.rps,
                replicas=case.replicas,
                progress_deadline_s=case.deadline_s,
            )
        for case in CASES:
            await lab.until_rolled_out(namespace, case.name)
            if case.autoscaler:
                await self._scale(case.name, case.autoscaler)
        await self.connections(20)
        await self._start_guard()
        await self._until_settled()

    @property
    def home(self) -> str:
        """The guard's own namespace."""
        return f"{self.namespace}-guard"

    async def go_wrong(self) -> None:
        """Releases, disturbs and leaves them, each as its case says, runs migrations that fail, and switches the set to
        a version that is good."""
        base = f"/namespaces/{self.namespace}"
        for case in CASES:
            if case.tag:
                await self.lab.release(self.namespace, case.name, case.tag)
            if case.chaos:
                await self.lab.disturb(self.namespace, selector={"app": case.name}, **case.chaos)
            if case.unmeasured:
                spec = {"spec": {"metrics": [_UNKNOWN_METRIC]}}
                await self.lab.api.patch(self.platform.autoscaler_path(case.name), spec, MERGE)
            if case.rps_later is not None:
                await self.lab.traffic(self.namespace, case.name, case.rps_later)
        await self.lab.api.create(f"/apis/batch/v1{base}/jobs", manifests.job(MIGRATION, tag="v1-crash"))
        await self.lab.api.create(f"/api/v1{base}/pods", _bare_pod(BARE_MIGRATION))
        await self._scale(NOWHERE, _cpu(1, 2))
        await self.connections(85)
        await self.platform.release("v2-noerrors")
        await self.platform.switch("green")

    async def lose_the_guard(self) -> None:
        """Ends the guard, in order."""
        for guard in self.guards:
            await guard.stop()

    async def connections(self, backends: int) -> None:
        """Sets how many of its 100 connections the namespace's database has in use."""
        url = f"{self.lab.parts['exporter'].url}/lab/database"
        answer = await self.lab.http.post(url, json={"namespace": self.namespace, "backends": backends})
        answer.raise_for_status()

    async def leave(self) -> None:
        """Takes it off the lab."""
        self.lab.prometheus.scrape_guards({})
        for guard in self.guards:
            await guard.kill()
        await self.connections(0)
        await self.lab.leave(self.namespace)

    async def _start_guard(self) -> None:
        account = await self.lab.install()
        await self.lab.namespace(self.home)
        await self.lab.grant(self.policy, namespace=self.home)
        name = f"controller-{self.namespace}"
        guard = self.lab.controller(self.policy, kubeconfig=account, name=name, namespace=self.home)
        self.guards.append(guard)
        listening = await guard.until_logged(lambda record: record["event"] == "listening", what="the guard's address")
        self.lab.prometheus.scrape_guards({str(listening["address"]): {"namespace": self.home, "pod": "monitoring-0"}})

    async def _until_settled(self) -> None:
        series = f'kube_replicaset_status_replicas{{namespace="{self.namespace}"}}'
        found: dict[str, float] = {}

        async def settled() -> bool:
            found.clear()
            found.update(await self.lab.prometheus.query(f"{series} > 0 unless {series} offset {RECENT_S}s > 0"))
            found.update(await self.lab.prometheus.query('ALERTS{alertname="GuardDown"}'))
            return not found

        await self.lab.until(settled, what="workloads that are not new, and a guard that leads", seen=lambda: found)

    async def _scale(self, name: str, spec: Mapping[str, Any]) -> None:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        autoscaler = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name},
            "spec": {"scaleTargetRef": target, **spec},
        }
        path = f"/apis/autoscaling/v2/namespaces/{self.namespace}/{AUTOSCALERS}"
        await self.lab.api.create(path, autoscaler)


def _bare_pod(name: str) -> Manifest:
    """What `kubectl run --restart=Never` makes, of an image that fails."""
    template = manifests.job(name, tag="v1-crash")["spec"]["template"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template["spec"]}

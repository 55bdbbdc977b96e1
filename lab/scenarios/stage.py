"""What a story has at hand: the lab, a voice with a clock, and eyes on workloads and controllers."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lab.controller import Controller, Record
from lab.world import Lab

LOOK_EVERY_S = 0.25
ADOPTED_S = 60.0
CLOSED_S = 120.0
TOLD_FIELDS = ("unit", "kind", "title", "text", "state", "from", "to", "step", "outcome", "reason", "detail", "address")


class ScenarioError(Exception):
    """The lab did something else than the story says."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """The lab of one story. Times are seconds since the story's start."""

    lab: Lab
    started: float
    namespace: str = "production"
    _seen: dict[str, str] = field(default_factory=dict)
    _told: dict[str, int] = field(default_factory=dict)

    def tell(self, text: str) -> None:
        """Prints one line with the story's time in front."""
        print(f"{time.monotonic() - self.started:7.1f} s  {text}", flush=True)

    def expect(self, holds: bool, text: str) -> None:
        """Raises ScenarioError with the text unless the condition holds."""
        if not holds:
            raise ScenarioError(text)
        self.tell(f"as expected: {text}")

    async def guarded(self, *names: str) -> Controller:
        """Runs version `v1` of these services under a guard; returns it when it has adopted them all."""
        lab, namespace = self.lab, await self.lab.namespace(self.namespace)
        for name in names:
            await lab.deploy(namespace, name, tag="v1", replicas=3, rps=40)
        for name in names:
            await lab.until_rolled_out(namespace, name)
        guard = lab.controller(lab.policy(), kubeconfig=await lab.install())
        for name in names:
            wanted: Record = {"event": "adopted", "unit": f"{namespace}/{name}"}
            await guard.until_logged(partial(_has, wanted), what=f"the adoption of {name}", timeout_s=ADOPTED_S)
        return guard

    async def until_closed(self, guard: Controller, name: str) -> str:
        """The state in which the guard left the first rollout of a service: `closed` or `held`."""
        opened = await guard.until_logged(
            partial(_has, {"event": "rollout-opened", "unit": f"{self.namespace}/{name}"}), what="the rollout"
        )

        def ended(record: Record) -> bool:
            return _has({"event": "state", "rollout": opened["rollout"]}, record) and record["to"] in ("closed", "held")

        return str((await guard.until_logged(ended, what="the rollout's end", timeout_s=CLOSED_S))["to"])

    async def tag(self, name: str) -> str:
        """The image tag that a service's Deployment asks for now."""
        template = (await self.lab.deployment(self.namespace, name))["spec"]["template"]
        return str(template["spec"]["containers"][0]["image"]).rpartition(":")[2]

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Tells, while the block runs, every change of the Deployments and pods, and what controllers log."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
            await self._look()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        base = f"/namespaces/{self.namespace}"
        lines = {
            f"deployment {item['metadata']['name']}": _of_deployment(item)
            for item in await self.lab.api.list(f"/apis/apps/v1{base}/deployments")
        }
        for item in await self.lab.api.list(f"/api/v1{base}/pods"):
            lines[f"pod {item['metadata']['name']}"] = _of_pod(item)
        for name in sorted(self._seen.keys() - lines.keys()):
            self.tell(f"  {name}: gone")
        for name, line in lines.items():
            if self._seen.get(name) != line:
                self.tell(f"  {name}: {line}")
        self._seen = lines
        for each in self.lab.controllers:
            records = each.records()
            for record in records[self._told.get(each.name, 0) :]:
                self.tell(f"  {each.name}: {_of_record(record)}")
            self._told[each.name] = len(records)


def _has(wanted: Record, record: Record) -> bool:
    return wanted.items() <= record.items()


def _of_record(record: Record) -> str:
    words = [str(record.get("event", ""))]
    for key, value in record.items():
        if key in TOLD_FIELDS:
            # A notice's text has many lines: its first says what happened.
            words.append(f"{key}={str(value).partition(chr(10))[0]}")
    return " ".join(words)


def _of_deployment(item: Any) -> str:
    status = item["status"]
    tag = item["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
    revision = item["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", "?")
    counts = "/".join(str(status.get(key, 0)) for key in ("updatedReplicas", "availableReplicas", "replicas"))
    return f"revision {revision} ({tag}), updated/available/all {counts} of {item['spec']['replicas']}"


def _of_pod(item: Any) -> str:
    status = item["status"]
    words = [status.get("phase", "Pending")]
    if "deletionTimestamp" in item["metadata"]:
        words.append("terminating")
    for container in status.get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting")
        words.append("ready" if container["ready"] else "not ready")
        if waiting:
            words.append(waiting.get("reason", "waiting"))
        if container["restartCount"]:
            words.append(f"{container['restartCount']} restarts")
    return ", ".join(words)

"""A release set whose rollback is disturbed at one of its writes: five kinds of steps, each done once.

Blue idles with one pod at its autoscaler's minimum, green serves on two; then green's pods and its image are gone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import policies
from lab.faults.killing import ENDING_S, TIMING, told_once
from lab.faults.watched import Watched, pending, tools
from lab.platform import SERVICES, Platform, Shape
from lab.proxy import Script
from lab.world import Lab
from rollguard.model.action import Plan, StepKind
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.records import RolloutRecord

MEMBER = "backend"
BLUE, GREEN, SERVICE = f"{MEMBER}-blue", f"{MEMBER}-green", SERVICES[MEMBER]
IDLE, SERVING = 1, 2
SHAPE = Shape(
    members=(MEMBER,), replicas=IDLE, autoscaled=(MEMBER,), minimum=IDLE, maximum=4, grace_s=1, pull_always=True
)
STEPS = [
    StepKind.RAISE_MINIMUM,
    StepKind.SCALE_UP,
    StepKind.SWITCH,
    StepKind.SCALE_DOWN,
    StepKind.RESTORE_MINIMUM,
]
STORY = (
    "Switch began from blue to green",
    "Rollback ordered: backend: image-pull",
    "Plan ",
    "Blue serves",
    "Recovered: ",
)
"""How lines of the story begin, each told once."""
WRITES = {f"services/{SERVICE}": 1, f"deployments/{GREEN}": 1, f"horizontalpodautoscalers/{BLUE}": 2}
"""Accepted writes of each object; blue's scaling may be the autoscaler's."""
BEGINNING = "verdict bad"
"""What the first write of the rollback says."""
SCALED = f"PATCH deployments/{BLUE} to {SERVING}"
"""The write that may be the autoscaler's."""


@dataclass(slots=True, kw_only=True)
class GuardedSet(Watched):
    """The release set of one member."""

    platform: Platform


class BackToBlue:
    """The set goes back, with the capacity that green had."""

    name = "set-"
    topics = ("rollout-began", "switched-back", "rolled-back", "recovered")
    perhaps = ("half-back",)

    def guarded(
        self, lab: Lab, namespace: str, script: Script, installed: Path
    ) -> AbstractAsyncContextManager[GuardedSet]:
        """Blue serves with one pod, green is ready with two of another version."""
        return _guarded(lab, namespace, script, installed)

    async def adopted(self, here: GuardedSet) -> None:
        """Returns when the guard holds blue to be good."""

        async def known() -> bool:
            unit = await here.unit()
            good = unit.good() if unit is not None else ()
            return BLUE in {each.workload for each in good}

        await here.lab.until(known, what=f"the adoption of {BLUE}", timeout_s=ENDING_S, seen=here.logs)

    async def begin(self, here: GuardedSet) -> None:
        """Switches to green and, once it is guarded with both its pods, takes them and its image away."""
        platform, script = here.platform, here.script
        # How a rollout is opened is the same for all kinds of units.
        script.counting = False
        await platform.switch("green")

        async def guarded() -> bool:
            record = await here.rollout()
            if record is None or pending(record):
                return False
            return any(passage.needed >= SERVING for passage in record.passages)

        await here.lab.until(guarded, what="the rollout under guard", timeout_s=ENDING_S, seen=here.logs)
        script.counting = True
        await here.lab.disturb(here.namespace, pull="not-found", selector={"version": "green"})
        await platform.delete_pods(GREEN)

    async def problems(self, here: GuardedSet, record: RolloutRecord) -> list[tuple[bool, str]]:
        """As in `of_the_world`, and of the writes of the member's objects."""
        return [*await self.of_the_world(here, record), *_of_writes(here.script)]

    async def of_the_world(self, here: GuardedSet, record: RolloutRecord) -> list[tuple[bool, str]]:
        """Of the member's objects and of the story's lines."""
        return [
            *await _of_objects(here.platform),
            *(_receipts(record.plan, await _receipt(here)) if record.plan is not None else [(False, "no plan")]),
            *told_once(record, STORY),
            *_told_done(record),
        ]


async def _of_objects(platform: Platform) -> list[tuple[bool, str]]:
    live, green = await platform.live(MEMBER), await platform.replicas(GREEN)
    minimum, ready = await platform.minimum(BLUE), await platform.ready(BLUE)
    return [
        (live == "blue", f"{live} serves"),
        (green == 0, f"green asks for {green} pods"),
        (minimum == IDLE, f"blue's minReplicas is {minimum}"),
        (ready >= IDLE, f"blue has {ready} ready pods"),
    ]


async def _receipt(here: GuardedSet) -> str:
    path = here.platform.path("api/v1", "services", SERVICE)
    notes = (await here.lab.api.get(path))["metadata"].get("annotations", {})
    return str(notes.get("rollguard.dev/step", ""))


def _receipts(plan: Plan, found: str) -> list[tuple[bool, str]]:
    switch = next((step.n for step in plan.steps if step.kind is StepKind.SWITCH), 0)
    kinds = [step.kind for step in plan.steps]
    return [
        (kinds == STEPS, f"steps {', '.join(kinds)}"),
        (found == f"{plan.id}/{switch}", f"the Service's receipt is {found}"),
    ]


def _told_done(record: RolloutRecord) -> list[tuple[bool, str]]:
    told = [entry.text for entry in record.timeline if entry.kind == "step" and ") done" in entry.text]
    times = {n: sum(text.startswith(f"Step {n} (") for text in told) for n in range(1, len(STEPS) + 1)}
    return [(count == 1, f"step {n} is told done {count} times") for n, count in times.items()]


def _of_writes(script: Script) -> list[tuple[bool, str]]:
    checks = []
    for path, wanted in WRITES.items():
        found = [w for w in script.seen if w.path.endswith(path) and not w.dry_run and w.status == 200]
        checks.append((len(found) == wanted, f"{len(found)} writes of {path} were accepted, for {wanted} steps"))
    return checks


@asynccontextmanager
async def _guarded(lab: Lab, namespace: str, script: Script, installed: Path) -> AsyncIterator[GuardedSet]:
    async with tools(lab, namespace, script, installed) as around:
        platform = await Platform.deploy(lab, namespace, SHAPE)
        await platform.set_minimum(GREEN, SERVING)
        await platform.scale(GREEN, SERVING)
        await platform.release("v2-noerrors")
        document = policies.set_policy(
            namespace=namespace,
            prometheus=lab.prometheus.url,
            services=platform.services,
            notify={"webhooks": [{"name": "receiver", "url": around.receiver.url}]},
            timing=TIMING,
            drain="1s",
        )
        for watch in document["spec"]["watch"]:
            watch["signals"] = ["image-pull", "crash-loop"]
        policy = policies.write(lab.workdir / f"{namespace}.json", document)
        await lab.grant(policy, namespace=namespace)
        here = GuardedSet(
            lab=lab,
            namespace=namespace,
            policy=policy,
            installed=installed,
            tools=around,
            workload=WorkloadName(namespace, WorkloadKind.RELEASE_SET, policies.SET),
            platform=platform,
        )
        try:
            yield here
        finally:
            await here.end()
            await lab.leave(namespace)

"""What the stories of guarded release sets share: the set under guard, its way back, and what clients saw of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab import policies
from lab.mirror import Mirror
from lab.platform import COLOURS, KEY, SERVICES, WORKERS, Platform, Reached, Shape
from lab.scenarios.stage import GROUP, GUARD_S, Stage
from lab.world import deployment_path

SET = policies.SET
UNIT = f"releaseset-{SET}"
STREAM_S = 4.0
"""At most: two seconds less than the drain, for what a busy machine adds."""
MOVED_WITHIN_S = 4.0
"""After a selector's change: the slices' controller, the clients' lag, and a second of connections that stay."""
FAILED_MAX = 0.001
RPS = 40


async def guarded(stage: Stage, shape: Shape, *, rps: float = RPS, **options: Any) -> Platform:
    """Runs the set under a guard that has adopted what serves, with traffic that the metrics store knows.

    `options` replace keys of the policy.
    """
    platform = await Platform.deploy(stage.lab, stage.namespace, shape)
    await platform.traffic(rps, streams=2, stream_s=STREAM_S)
    await start_guard(stage, platform, **options)
    await until_adopted(stage, platform)
    for member in shape.members:
        if member in SERVICES:
            await stage.until_known(platform.workload(member, "blue"))
    return platform


async def start_guard(stage: Stage, platform: Platform, **options: Any) -> None:
    """Starts a controller on the policy for the set."""
    await stage.lab.namespace(stage.guard_namespace)
    document = policies.set_policy(
        namespace=stage.namespace,
        prometheus=stage.lab.prometheus.url,
        services=platform.services,
        workers=[member for member in platform.shape.members if member == WORKERS],
        **options,
    )
    policy = policies.write(stage.lab.workdir / f"{stage.namespace}-policy.json", document)
    await stage.lab.grant(policy, namespace=stage.guard_namespace)
    stage.start_guard(policy)


async def unit(stage: Stage) -> Any:
    """The GuardedUnit of the set; None while there is none."""
    return await stage.lab.api.find(f"{GROUP}/namespaces/{stage.namespace}/guardedunits/{UNIT}")


async def until_adopted(stage: Stage, platform: Platform) -> None:
    """Returns when the guard holds what every member serves with to be good."""
    wanted: set[str] = set()
    for member in platform.shape.members:
        wanted.add(platform.workload(member, await platform.live(member)))
    good: set[str] = set()

    async def adopted() -> bool:
        status = ((await unit(stage)) or {}).get("status", {})
        known = [*status.get("adoptedBefore", ()), *status.get("healthy", ()), status.get("adopted") or {}]
        good.update(each["workload"] for each in known if each.get("workload"))
        return wanted <= good

    await stage.until(adopted, what=f"the adoption of {SET}", timeout_s=GUARD_S, seen=lambda: sorted(good))
    stage.tell(f"{SET}: {', '.join(sorted(good))} adopted")


async def until_back(stage: Stage, platform: Platform, *members: str, nth: int = 1) -> Any:
    """The n-th rollout of the set, once it is closed; raises unless it was undone, helped, and blue serves again with
    green at 0, of these members (all where none is named)."""
    rollout = await stage.until_rollout(SET, "closed", "held", nth=nth)
    stage.expect_equal(rollout.get("outcome", rollout["state"]), "recovered", f"the rollout of {SET} is closed")
    mine = members or platform.shape.members
    stage.expect_equal([p["member"] for p in rollout["passages"]], list(mine), "the members that went back")
    for member in mine:
        stage.expect_equal(await platform.live(member), "blue", f"the live colour of {member}")
        stage.expect_equal(await platform.replicas(platform.workload(member, "green")), 0, f"pods of green {member}")
    states = {step["state"] for step in rollout["plan"]["steps"]}
    stage.expect(states <= {"done", "skipped"}, f"the steps of the plan: {', '.join(sorted(states))}")
    return rollout


async def expect_held(stage: Stage, platform: Platform, *words: str, nth: int = 1) -> Any:
    """The n-th rollout of the set, once it is held; raises unless people were paged, the reason says these words, and
    green serves on."""
    rollout = await stage.until_rollout(SET, "held", "closed", nth=nth)
    stage.expect_equal(rollout["state"], "held", f"state of the rollout ({rollout['why']})")
    pages = [notice for notice in rollout["notices"] if notice["class"] == "page"]
    stage.expect(bool(pages), "people were paged")
    stage.tell(f"paged: {pages[-1]['title']}: {rollout['why']}")
    said = f"{rollout['why']} {pages[-1]['title']} {pages[-1]['text']}"
    stage.expect_equal([word for word in words if word not in said], [], f"what is not said of {rollout['why']!r}")
    for member in platform.services:
        stage.expect_equal(await platform.live(member), "green", f"the live colour of {member}")
    return rollout


async def break_green(stage: Stage, platform: Platform, *members: str) -> None:
    """Lets the green pods of these members (all with a Service where none is named) answer a third with errors."""
    for member in members or tuple(platform.services):
        await stage.lab.disturb(stage.namespace, error_ratio=0.35, selector={"app": member, KEY: "green"})
    stage.tell("green answers a third of the requests with errors")


# --- what clients saw ---


async def counts(platform: Platform) -> dict[str, dict[str, Reached]]:
    """What reached each colour so far, by member."""
    return {member: {c: await platform.reached(member, c) for c in COLOURS} for member in platform.services}


async def expect_unhurt(
    stage: Stage, platform: Platform, before: Mapping[str, Mapping[str, Reached]], rollout: Any, *, requests: int = 1000
) -> None:
    """Raises unless, of so many requests that reached blue since then, fewer failed than one in a thousand, none
    reaches green after lag and drain, and no connection to either was broken."""
    members = [passage["member"] for passage in rollout["passages"] if passage["member"] in platform.services]
    found: dict[str, dict[str, Reached]] = {}

    async def enough() -> bool:
        found.update(await counts(platform))
        return sum(found[m]["blue"].since(before[m]["blue"]).requests for m in members) >= requests

    await stage.until(enough, what=f"{requests} requests to blue", timeout_s=GUARD_S, seen=lambda: found)
    blue = [found[member]["blue"].since(before[member]["blue"]) for member in members]
    sent, failed = sum(each.requests for each in blue), sum(each.failed for each in blue)
    stage.expect(failed < FAILED_MAX * sent, f"{failed} of {sent} requests that reached blue failed")
    for member in members:
        green = found[member]["green"].since(before[member]["green"])
        after = green.last - switched_at(rollout, SERVICES[member])
        stage.expect(after < MOVED_WITHIN_S, f"green {member} was last reached {after:.1f} s after the switch back")
        stage.expect_equal(green.broken, 0, f"broken connections to green {member}")


def switched_at(rollout: Any, service: str) -> float:
    """When the step that switched a Service was done, in seconds since the epoch."""
    steps = [s for s in rollout["plan"]["steps"] if s["kind"] == "switch" and s["target"]["name"] == service]
    return datetime.fromisoformat(steps[0]["overAt"]).timestamp()


# --- eyes ---


@dataclass(slots=True)
class Seen:
    """What watches of a member's objects told, in order: which colour its Service selects, how many ready pods each
    colour has, both with the cluster's version of that moment, and every `minReplicas` of blue's autoscaler."""

    selected: list[tuple[int, str]] = field(default_factory=list)
    ready: list[tuple[int, str, int]] = field(default_factory=list)
    minimum: list[int] = field(default_factory=list)

    def ready_at(self, version: int, colour: str) -> int:
        """How many ready pods the colour had at that version: the watches do not come in one order."""
        counts = [(each, ready) for each, name, ready in self.ready if name == colour and each <= version]
        return max(counts)[1]


@asynccontextmanager
async def watching(platform: Platform, member: str) -> AsyncIterator[Seen]:
    """Watches the objects of one member for the length of the block."""
    seen = Seen()

    def deployment(change: str, item: Any) -> None:
        member_, _, colour = item["metadata"]["name"].rpartition("-")
        if change != "DELETED" and member_ == member:
            seen.ready.append((_version(item), colour, item["status"].get("readyReplicas", 0)))

    def service(change: str, item: Any) -> None:
        if change != "DELETED" and item["metadata"]["name"] == SERVICES[member]:
            colour = item["spec"]["selector"][KEY]
            if not seen.selected or seen.selected[-1][1] != colour:
                seen.selected.append((_version(item), colour))

    def autoscaler(change: str, item: Any) -> None:
        minimum = item["spec"]["minReplicas"]
        if change != "DELETED" and item["metadata"]["name"] == f"{member}-blue" and seen.minimum[-1:] != [minimum]:
            seen.minimum.append(minimum)

    mirrors = {
        "apis/apps/v1/{}/deployments": deployment,
        "api/v1/{}/services": service,
        "apis/autoscaling/v2/{}/horizontalpodautoscalers": autoscaler,
    }
    tasks = []
    for path, listener in mirrors.items():
        mirror = Mirror(platform.lab.api, "/" + path.format(f"namespaces/{platform.namespace}"))
        mirror.subscribe(listener)
        tasks.append(asyncio.create_task(mirror.run()))
        await mirror.synced.wait()
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _version(item: Any) -> int:
    """It counts up with every write of the whole cluster."""
    return int(item["metadata"]["resourceVersion"])


# --- what keeps a step from being done ---


@asynccontextmanager
async def refusing(stage: Stage, resource: str, name: str) -> AsyncIterator[None]:
    """For the length of the block an admission policy refuses every change of one Service or Deployment.

    A dry run passes: it is one that came after it.
    """
    group = {"services": "", "deployments": "apps"}[resource]
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": [resource]}
    called = f"refuse-{stage.namespace}"
    spaces = {"matchLabels": {"kubernetes.io/metadata.name": stage.namespace}}
    api, base = stage.lab.api, "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
    matched = {"resourceRules": [{**rule, "resourceNames": [name]}], "namespaceSelector": spaces}
    validations = [{"expression": "request.dryRun", "message": f"{name} is locked by the platform team"}]
    spec = {"failurePolicy": "Fail", "matchConstraints": matched, "validations": validations}
    binding = {"policyName": called, "validationActions": ["Deny"]}
    await api.create(f"{base}ies", {"metadata": {"name": called}, "spec": spec})
    await api.create(f"{base}ybindings", {"metadata": {"name": called}, "spec": binding})
    path = deployment_path(stage.namespace, name)
    if resource == "services":
        path = f"/api/v1/namespaces/{stage.namespace}/services/{name}"
    await _until_refused(stage, path, refused=True)
    stage.tell(f"changes of {name} are refused now")
    try:
        yield
    finally:
        await api.delete(f"{base}ybindings/{called}")
        await api.delete(f"{base}ies/{called}")
    await _until_refused(stage, path, refused=False)
    stage.tell(f"changes of {name} are allowed again")


async def _until_refused(stage: Stage, path: str, *, refused: bool) -> None:
    async def so() -> bool:
        return await stage.lab.refuses(path) == refused

    await stage.until(so, what=f"{path} {'refused' if refused else 'allowed'}", timeout_s=GUARD_S)

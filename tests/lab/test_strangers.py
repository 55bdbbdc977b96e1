"""Deployments as strangers have them, beside each other under one guard: each is undone, or left alone for a reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from lab import manifests, policies
from lab.api import ApiError
from lab.manifests import Manifest
from lab.scenarios import Stage
from lab.scenarios.words import of_rollout
from lab.world import Lab, deployment_path, rolled_out

pytestmark = pytest.mark.lab

NAMESPACE = "strangers"
EVENT_RULES = ["crash-loop", "image-pull", "progress-deadline"]
UNDONE, HELD, ASKED = "undone", "held", "asked"
BAD = "v2-crash"
DEADLINE_S = 6
BUDGET_S = 90.0

Change = Callable[[Manifest], None]


@dataclass(frozen=True, kw_only=True)
class Stranger:
    """A Deployment, the release that breaks it, and what is to come of it."""

    name: str
    end: str = UNDONE
    reason: str = ""
    """What the guard's reason must say."""
    made: Change = lambda _deployment: None
    """How it differs from one container with a readiness probe."""
    broken: Change = lambda deployment: _set_image(deployment, BAD)
    replicas: int = 1
    mode: str = ""
    pause: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def _pod(deployment: Manifest) -> Any:
    return deployment["spec"]["template"]["spec"]


def _set_image(deployment: Manifest, tag: str, container: str = "") -> None:
    """Another image for that container, or for the first."""
    pod = _pod(deployment)
    name = container or pod["containers"][0]["name"]
    for each in (*pod.get("initContainers", ()), *pod["containers"]):
        if each["name"] == name:
            each["image"] = manifests.image(name, tag)


def _beside(deployment: Manifest) -> None:
    _pod(deployment)["containers"].append({"name": "helper", "image": manifests.image("helper", "v1")})


def _before(name: str, **more: Any) -> Change:
    def made(deployment: Manifest) -> None:
        _pod(deployment)["initContainers"] = [{"name": name, "image": manifests.image(name, "v1"), **more}]

    return made


def _spec(**keys: Any) -> Change:
    def made(deployment: Manifest) -> None:
        deployment["spec"] |= keys

    return made


def _without_probe(**keys: Any) -> Change:
    def made(deployment: Manifest) -> None:
        del _pod(deployment)["containers"][0]["readinessProbe"]
        deployment["spec"] |= keys

    return made


def _image(tag: str, container: str = "") -> Change:
    return lambda deployment: _set_image(deployment, tag, container)


def _too_large(deployment: Manifest) -> None:
    _set_image(deployment, "v2")
    _pod(deployment)["containers"][0]["resources"]["requests"]["cpu"] = "900"
    _pod(deployment)["containers"][0]["resources"]["limits"]["cpu"] = "900"


def _no_surge(deployment: Manifest) -> None:
    deployment["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


IN_TIME = {"progress_deadline_s": DEADLINE_S}
RECREATE = _spec(strategy={"type": "Recreate"})
STRANGERS = (
    Stranger(name="one-replica"),
    Stranger(name="several-containers", made=_beside, broken=_image(BAD, "helper")),
    Stranger(name="native-sidecar", made=_before("proxy", restartPolicy="Always"), broken=_image(BAD, "proxy")),
    Stranger(name="init-container-done", made=_before("prepare")),
    Stranger(
        name="init-container-fails",
        made=_before("prepare"),
        broken=_image(BAD, "prepare"),
        options=IN_TIME,
        end=HELD,
        reason="waits for its init container prepare",
    ),
    Stranger(name="no-surge", made=_no_surge, replicas=2),
    Stranger(name="no-probes", made=_without_probe()),
    Stranger(name="history-of-one", made=_without_probe(revisionHistoryLimit=1), broken=_image("v2-crash-after-4s")),
    Stranger(name="no-history", made=_without_probe(revisionHistoryLimit=0), broken=_image("v2-crash-after-4s")),
    Stranger(name="never-ready", broken=_image("v2-noready"), options=IN_TIME),
    Stranger(name="no-room", broken=_too_large, options=IN_TIME, end=HELD, reason="finds no node"),
    Stranger(name="paused", broken=_image("v2-crash-after-4s"), pause=True, end=HELD, reason="paused"),
    Stranger(name="recreate", made=RECREATE, end=ASKED, reason="strategy Recreate"),
    Stranger(name="recreate-by-itself", made=RECREATE, mode="automatic"),
)


@dataclass
class Strangers:
    """All of them, running, under guard, and released upon."""

    stage: Stage
    originals: dict[str, Manifest]
    began: float

    async def begin(self) -> None:
        """Makes them all, has them adopted, and releases what breaks them, all at once."""
        lab = self.stage.lab
        await lab.namespace(NAMESPACE)
        for stranger in STRANGERS:
            made = manifests.deployment(stranger.name, tag="v1", replicas=stranger.replicas, **stranger.options)
            stranger.made(made)
            self.originals[stranger.name] = made
            await lab.api.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", made)
        for stranger in STRANGERS:
            await lab.until_rolled_out(NAMESPACE, stranger.name)
        await self.stage.guard(
            [],
            watch=[_watch(stranger) for stranger in STRANGERS],
            limits={"fleet": {"units": 100}},
            timing={**policies.timing(), "approvalWithin": "5m"},
        )
        for stranger in STRANGERS:
            await self.stage.until_adopted(stranger.name)
        self.began = time.monotonic()
        await asyncio.gather(*(self._release(stranger) for stranger in STRANGERS))

    async def _release(self, stranger: Stranger) -> None:
        broken = deepcopy(self.originals[stranger.name])
        stranger.broken(broken)
        patch = {"spec": {"template": broken["spec"]["template"]}}
        await self.stage.lab.api.patch(deployment_path(NAMESPACE, stranger.name), patch)
        if stranger.pause:
            await self.stage.until_rollout(stranger.name)
            await self.stage.lab.api.patch(deployment_path(NAMESPACE, stranger.name), {"spec": {"paused": True}})

    async def images(self, name: str) -> Any:
        """The containers' images that the Deployment asks for now, by name."""
        pod = _pod(await self.stage.lab.deployment(NAMESPACE, name))
        return {each["name"]: each["image"] for each in (*pod.get("initContainers", ()), *pod["containers"])}

    def original(self, name: str) -> Any:
        """The same as it was before the release."""
        pod = _pod(self.originals[name])
        return {each["name"]: each["image"] for each in (*pod.get("initContainers", ()), *pod["containers"])}


def _watch(stranger: Stranger) -> dict[str, Any]:
    watch = {"name": stranger.name, "namespace": NAMESPACE, "workloads": [stranger.name], "signals": EVENT_RULES}
    return watch | ({"mode": stranger.mode} if stranger.mode else {})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strangers(lab: Lab) -> AsyncIterator[Strangers]:
    lines: list[str] = []
    stage = Stage(lab=lab, account=await lab.install(), namespace=NAMESPACE, say=lines.append)
    try:
        async with stage.watching():
            playing = Strangers(stage=stage, originals={}, began=0.0)
            await playing.begin()
            yield playing
    finally:
        print("\n".join(lines))
        for stranger in STRANGERS:
            with suppress(ApiError):
                await lab.api.delete(deployment_path(NAMESPACE, stranger.name))


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda stranger: stranger.name)
async def test_it_is_undone_or_left_alone_with_the_reason(
    stranger: Stranger, strangers: Strangers, record_property: Callable[[str, object], None]
) -> None:
    stage, name = strangers.stage, stranger.name
    states = {UNDONE: ("verifying", "closed"), HELD: ("held",), ASKED: ("awaiting_approval",)}[stranger.end]
    rollout = await stage.until_rollout(name, *states, timeout_s=BUDGET_S)
    if stranger.end == UNDONE:
        assert rollout["plan"]["actor"] == "rollguard", of_rollout(rollout)

        async def back() -> bool:
            return rolled_out(await stage.lab.deployment(NAMESPACE, name))

        await stage.until(back, what=f"{name} as it was", timeout_s=40.0)
        assert await strangers.images(name) == strangers.original(name)
    else:
        assert stranger.reason in rollout["why"], of_rollout(rollout)
        assert "plan" not in rollout
        assert await strangers.images(name) != strangers.original(name)
    record_property("story_seconds", time.monotonic() - strangers.began)

"""After an undo a fix goes forward unforced, by each of the ways of applying, and yields exactly the fixed version."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab import manifests, programs
from lab.manifests import Manifest
from lab.scenarios import Stage
from lab.scenarios.words import of_rollout
from lab.world import Lab

pytestmark = pytest.mark.lab

NAMESPACE = "going-forward"
EVENT_RULES = ["crash-loop", "image-pull"]
UNDONE = ("verifying", "closed")
BUDGET_S = 90.0


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a Deployment is applied, and what the fix needs beside that."""

    name: str
    tool: str
    flags: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    """Flags of the fix that the notice of the undo must name."""


WAYS = (
    Way(name="apply", tool="kubectl"),
    Way(name="apply-server-side", tool="kubectl", flags=("--server-side",)),
    Way(name="helm-upgrade", tool="helm"),
    Way(name="helm-client-side", tool="helm", flags=("--server-side=false",), fix=("--server-side=true",)),
)


def _first(deployment: Manifest) -> Any:
    return deployment["spec"]["template"]["spec"]["containers"][0]


def good(name: str) -> Manifest:
    """What runs first: with a variable and an annotation that no later version has."""
    made = manifests.deployment(name, tag="v1", replicas=1, pod_annotations={"only": "the first"})
    _first(made)["env"].append({"name": "ONLY_THE_FIRST", "value": "1"})
    return made


def bad(name: str) -> Manifest:
    """It crashes, and has a variable, an annotation, a volume and a container more than the others."""
    made = manifests.deployment(name, tag="v2-crash", replicas=1, pod_annotations={"bad": "yes"})
    pod = made["spec"]["template"]["spec"]
    _first(made)["env"].append({"name": "BAD", "value": "1"})
    _first(made)["volumeMounts"] = [{"name": "scratch", "mountPath": "/scratch"}]
    pod["volumes"] = [{"name": "scratch", "emptyDir": {}}]
    pod["containers"].append({"name": "helper", "image": manifests.image("helper", "v1")})
    return made


def fixed(name: str) -> Manifest:
    """The plain service, under a third image."""
    return manifests.deployment(name, tag="v3", replicas=1)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Applies versions as a pipeline does, with the real programs."""

    stage: Stage
    files: Path
    helm: Path

    async def apply(self, way: Way, version: Manifest, *more: str) -> None:
        """Raises ScenarioError, with what the program says, where it ends with another code than 0."""
        place = self.files / way.name
        if way.tool == "kubectl":
            place.mkdir(exist_ok=True)
            manifest = place / "deployment.json"
            manifest.write_text(json.dumps(version))
            await self.stage.kubectl("apply", "-f", str(manifest), *way.flags, *more)
            return
        (place / "templates").mkdir(parents=True, exist_ok=True)
        (place / "Chart.yaml").write_text(f"apiVersion: v2\nname: {way.name}\nversion: 0.1.0\n")
        (place / "templates" / "deployment.yaml").write_text(json.dumps(version))
        flags = more or way.flags
        await self._helm("upgrade", "--install", way.name, str(place), "-n", NAMESPACE, *flags)

    async def _helm(self, *arguments: str) -> None:
        homes = {f"HELM_{kind}_HOME": str(self.files / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        process = await asyncio.create_subprocess_exec(
            str(self.helm),
            *arguments,
            env=os.environ | homes | {"KUBECONFIG": str(self.stage.lab.kubeconfig)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, f"helm {' '.join(arguments)}: {said.decode()}"

    async def as_made_anew(self, version: Manifest) -> Any:
        """The template that the API server would store of it, where nothing was there before."""
        path = "/apis/apps/v1/namespaces/default/deployments?dryRun=All"
        return (await self.stage.lab.api.create(path, deepcopy(version)))["spec"]["template"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pipeline(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """All of them undone: each was applied in its way, adopted, and released upon."""
    lines: list[str] = []
    stage = Stage(lab=lab, account=await lab.install(), namespace=NAMESPACE, say=lines.append)
    helm = (await asyncio.to_thread(programs.require, ["helm"]))["helm"]
    applied = Pipeline(stage=stage, files=tmp_path_factory.mktemp("pipeline"), helm=helm)
    try:
        async with stage.watching():
            await lab.namespace(NAMESPACE)
            await asyncio.gather(*(applied.apply(way, good(way.name)) for way in WAYS))
            for way in WAYS:
                await lab.until_rolled_out(NAMESPACE, way.name)
            watch = [
                {"name": way.name, "namespace": NAMESPACE, "workloads": [way.name], "signals": EVENT_RULES}
                for way in WAYS
            ]
            await stage.guard([], watch=watch, secrets="metadata", limits={"fleet": {"units": 100}})
            for way in WAYS:
                await stage.until_adopted(way.name)
            await asyncio.gather(*(applied.apply(way, bad(way.name)) for way in WAYS))
            yield applied
    finally:
        print("\n".join(lines))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
async def test_a_fix_goes_forward_and_is_exactly_the_fixed_version(
    way: Way, pipeline: Pipeline, record_property: Callable[[str, object], None]
) -> None:
    stage = pipeline.stage
    rollout = await stage.until_rollout(way.name, *UNDONE, timeout_s=BUDGET_S)
    assert rollout["plan"]["actor"] == "rollguard", of_rollout(rollout)
    undone = (await stage.lab.deployment(NAMESPACE, way.name))["spec"]["template"]
    assert undone == await pipeline.as_made_anew(good(way.name))
    told = next(notice["text"] for notice in rollout["notices"] if notice["topic"] == "rolled-back")
    assert [flag in told for flag in way.fix] == [True] * len(way.fix), told
    assert "--force-conflicts" not in told

    await pipeline.apply(way, fixed(way.name), *way.fix)

    live = (await stage.lab.deployment(NAMESPACE, way.name))["spec"]["template"]
    assert live == await pipeline.as_made_anew(fixed(way.name))
    await stage.lab.until_rolled_out(NAMESPACE, way.name)
    record_property("steps", [step["detail"] for step in rollout["plan"]["steps"]])

"""Mutating admission on a real API server: an undo restores what it made of the good version, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from lab.faults.guarded import NAME
from lab.manifests import deployment
from lab.world import Lab, deployment_path
from rollguard.model.records import LifecycleState, Outcome
from tests.lab.beside import Beside, Story, beside
from tests.lab.test_refusals import generation, rollguard, service, until_open

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
VARIABLE = "INJECTED"


def policy(namespace: str) -> dict[str, Any]:
    """Gives the first container of each Deployment there a variable, where it has none of that name."""
    wanted = f'!object.spec.template.spec.containers[0].env.exists(e, e.name == "{VARIABLE}")'
    value = f'Object.spec.template.spec.containers.env{{name: "{VARIABLE}", value: "yes"}}'
    patch = f'[JSONPatch{{op: "add", path: "/spec/template/spec/containers/0/env/-", value: {value}}}]'
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "resources": ["deployments"],
        "operations": ["CREATE", "UPDATE"],
    }
    return {
        "metadata": {"name": f"inject-{namespace}"},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "resourceRules": [rule],
            },
            "matchConditions": [{"name": "missing", "expression": wanted}],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
        },
    }


@asynccontextmanager
async def injecting(lab: Lab, namespace: str) -> AsyncIterator[None]:
    """A MutatingAdmissionPolicy of that namespace, once it is in force."""
    name = f"inject-{namespace}"
    await lab.api.create(f"{ADMISSION}/mutatingadmissionpolicies", policy(namespace))
    binding = {"metadata": {"name": name}, "spec": {"policyName": name}}
    await lab.api.create(f"{ADMISSION}/mutatingadmissionpolicybindings", binding)
    try:
        path = f"{deployment_path(namespace, '').rstrip('/')}?dryRun=All"

        async def in_force() -> bool:
            return VARIABLE in variables(await lab.api.create(path, deployment("probe", tag="v1")))

        await lab.until(in_force, what=f"the admission policy of {namespace}")
        yield
    finally:
        await lab.api.delete(f"{ADMISSION}/mutatingadmissionpolicybindings/{name}")
        await lab.api.delete(f"{ADMISSION}/mutatingadmissionpolicies/{name}")


def variables(found: Any) -> list[str]:
    """The names of the first container's variables."""
    return [each["name"] for each in found["spec"]["template"]["spec"]["containers"][0].get("env") or ()]


async def what_admission_made_of_the_good_version_is_restored_with_it(lab: Lab) -> None:
    namespace = "admission-old"
    await lab.namespace(namespace)
    async with injecting(lab, namespace), service(lab, namespace) as here:
        assert VARIABLE in variables(await here.deployment())
        good = (await here.deployment())["spec"]["template"]
        await here.release("v2-missing")
        record = await here.until_closed()
        assert record.outcome is Outcome.RECOVERED
        assert (await here.deployment())["spec"]["template"] == good
        sets = (await lab.api.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets"))["items"]
        assert len(sets) == 2, "the old ReplicaSet is used again"


async def admission_that_came_since_is_named_and_nothing_is_written(lab: Lab) -> None:
    async with service(lab, "admission-new") as here, injecting(lab, "admission-new"):
        assert VARIABLE not in variables(await here.deployment())
        await here.release("v2-missing")
        await until_open(here, 1, LifecycleState.HELD)
        (record,) = await here.rollouts()
        assert f"changes the restored template: spec.containers[{NAME}].env" in record.why
        assert f"env[{VARIABLE}] is added" in record.why
        assert record.plan is None
        assert await generation(here) == 2

        async def told() -> bool:
            return bool(here.receiver.of_topic("plan-refused"))

        await lab.until(told, what="the page", seen=here.logs)
        order = ("rollback", here.namespace, NAME, "--reason", "what if", "--dry-run")
        answer = await rollguard(lab, "alice", *order)
        assert answer.code == 1, answer
        assert f"env[{VARIABLE}] is added" in answer.errors


STORIES: tuple[Story, ...] = (
    what_admission_made_of_the_good_version_is_restored_with_it,
    admission_that_came_since_is_named_and_nothing_is_written,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def playing(request: pytest.FixtureRequest, lab: Lab) -> AsyncIterator[Beside]:
    async with beside(request, lab) as stories:
        yield stories


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_it_goes_as_told(story: Story, playing: Beside) -> None:
    await playing.ended(story)

"""`rollguard install` ends with a running guard that undoes a bad release; `uninstall` leaves the cluster as it was.

Its definitions belong to a whole cluster, so these tests have a lab of their own, as those of the rendered files.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from lab import controller, policies, programs
from lab.world import Lab

pytestmark = pytest.mark.lab
NAME = "speech-to-text"
APPLY = ("apply", "--server-side", "--field-manager", "rollguard")
RBAC = "/apis/rbac.authorization.k8s.io/v1"
KINDS = (
    "/api/v1/namespaces",
    "/api/v1/serviceaccounts",
    "/api/v1/configmaps",
    "/api/v1/secrets",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/controllerrevisions",
    "/apis/batch/v1/cronjobs",
    "/apis/batch/v1/jobs",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/coordination.k8s.io/v1/leases",
    f"{RBAC}/roles",
    f"{RBAC}/rolebindings",
    f"{RBAC}/clusterroles",
    f"{RBAC}/clusterrolebindings",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
)


async def rollguard(kubeconfig: Path, *arguments: str, code: int = 0) -> str:
    """What the command prints; fails the test at another exit code."""
    command = controller.command((*arguments, "--kubeconfig", str(kubeconfig)))
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    text = out.decode()
    print(f"$ rollguard {' '.join(arguments)}\n{text}", file=sys.stderr)
    assert process.returncode == code, text
    return text


async def kubectl_takes(lab: Lab, printed: str) -> None:
    """The real kubectl applies the text, with the command that the help names."""
    file = lab.workdir / "printed.yaml"
    file.write_text(printed)
    command = (
        programs.require(["kubectl"])["kubectl"],
        "--kubeconfig",
        lab.kubeconfig,
        *APPLY,
        "-f",
        file,
    )
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()


async def everything(lab: Lab) -> set[tuple[str, str, str]]:
    """(collection, namespace, name) of what an installation could leave behind."""
    return {
        (path, item["metadata"].get("namespace", ""), item["metadata"]["name"])
        for path in KINDS
        for item in await lab.api.list(path)
    }


def written(lab: Lab, namespace: str) -> Path:
    """A policy for the service in that namespace."""
    document = policies.policy(namespace=namespace, prometheus=lab.prometheus.url, workloads=[NAME])
    return policies.write(lab.workdir / f"{namespace}-policy.json", document)


async def served(lab: Lab, namespace: str) -> Path:
    """The service runs; returns the policy for it."""
    await lab.namespace(namespace)
    await lab.deploy(namespace, NAME, rps=0)
    await lab.until_rolled_out(namespace, NAME)
    return written(lab, namespace)


def image_of(deployment: Any) -> str:
    """The image of the only container."""
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


async def a_crash_is_undone(lab: Lab, namespace: str) -> None:
    """The guard adopts what runs, and puts it back after a release that crashes."""
    units = f"/apis/rollguard.dev/v1alpha1/namespaces/{namespace}/guardedunits"

    async def adopted() -> bool:
        return any(unit.get("status", {}).get("adopted", {}).get("saved") for unit in await lab.api.list(units))

    await lab.until(adopted, what="the adoption")
    good = image_of(await lab.deployment(namespace, NAME))
    await lab.release(namespace, NAME, "v2-crash")

    async def undone() -> bool:
        return image_of(await lab.deployment(namespace, NAME)) == good

    await lab.until(undone, what="the undo")
    await lab.until_rolled_out(namespace, NAME)


async def closed(lab: Lab, namespace: str) -> None:
    """Returns when no rollback is under way any more."""
    rollouts = f"/apis/rollguard.dev/v1alpha1/namespaces/{namespace}/guardedrollouts"

    async def all_closed() -> bool:
        return all(each.get("status", {}).get("state") == "closed" for each in await lab.api.list(rollouts))

    await lab.until(all_closed, what="the end of the rollback")


async def test_an_installed_guard_undoes_a_crash_and_leaves_nothing_behind(cluster: Lab) -> None:
    policy = await served(cluster, "production")
    before = await everything(cluster)
    first = await rollguard(cluster.kubeconfig, "install", "--apply", "--policy", str(policy))
    assert "Deployment monitoring in monitoring: created" in first
    assert "the guard runs: 2 replicas" in first
    await kubectl_takes(cluster, await rollguard(cluster.kubeconfig, "install", "--print", "--policy", str(policy)))
    again = await rollguard(cluster.kubeconfig, "install", "--apply", "--policy", str(policy))
    lines = [line for line in again.splitlines() if line.startswith(("Deployment", "Role", "Custom", "ConfigMap"))]
    assert lines
    assert all(line.endswith(": unchanged") for line in lines), again
    await a_crash_is_undone(cluster, "production")
    await closed(cluster, "production")
    going = (await rollguard(cluster.kubeconfig, "uninstall", "--dry-run")).splitlines()
    assert "Namespace monitoring: would be deleted" in going
    assert len(set(going)) == len(going)
    assert await everything(cluster) != before
    await rollguard(cluster.kubeconfig, "uninstall", "--yes")

    async def as_before() -> bool:
        return await everything(cluster) == before

    await cluster.until(as_before, what="the cluster as it was")
    assert "v2-crash" not in image_of(await cluster.deployment("production", NAME))


async def test_a_team_installs_a_guard_in_its_own_namespaces(cluster: Lab) -> None:
    policy = await served(cluster, "team")
    await cluster.namespace("team-guard")
    restricted = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await cluster.api.patch("/api/v1/namespaces/team-guard", restricted)
    await rollguard(cluster.kubeconfig, "install", "--apply", "--definitions-only")
    for namespace in ("team", "team-guard"):
        await cluster.api.create(f"{RBAC}/namespaces/{namespace}/rolebindings", _owner("alice"))
    alice = cluster.plane.kubeconfig_for("alice")
    refused = await rollguard(alice, "install", "--apply", "-n", "team-guard", "--policy", str(policy), code=1)
    assert "needed: the right to patch customresourcedefinitions.apiextensions.k8s.io for the cluster" in refused
    own = ("--apply", "--namespaced", "-n", "team-guard", "--policy", str(policy))
    done = await rollguard(alice, "install", *own)
    assert "CustomResourceDefinition guardedunits.rollguard.dev: not allowed: left to an administrator" in done
    assert "the guard runs: 2 replicas" in done
    roles = [each["metadata"]["name"] for each in await cluster.api.list(f"{RBAC}/clusterroles")]
    assert not [name for name in roles if name.startswith("rollguard")]
    await a_crash_is_undone(cluster, "team")
    await closed(cluster, "team")
    gone = await rollguard(alice, "uninstall", "--yes", "-n", "team-guard")
    assert "kept: the definitions and people's roles: whether other guards run cannot be seen from here" in gone
    assert await cluster.api.list("/apis/rollguard.dev/v1alpha1/guardedunits") == []
    assert "rollguard" not in {each["metadata"]["name"] for each in await cluster.api.list(f"{RBAC}/roles")}


def _owner(user: str) -> dict[str, Any]:
    """Whoever gives rights must have them: the owner of a namespace has all rights in it."""
    group = "rbac.authorization.k8s.io"
    return {
        "metadata": {"name": f"owner-{user}"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }

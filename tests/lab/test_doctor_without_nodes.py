"""Each failure of an installation, of workloads and of the guard is produced and named: on a control plane of its own,
without nodes, whose definitions may be spoiled."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab import manifests, policies
from lab.api import MERGE
from lab.api import Api as LabApi
from lab.controlplane import ControlPlane
from lab.proxy import Script, proxying
from rollguard.adapters.kubernetes import Api, KubernetesLeadership, install_manifests, load
from rollguard.adapters.kubernetes.connection.rights import Right, needed
from rollguard.adapters.kubernetes.survey import Account, RightsAsked
from rollguard.adapters.kubernetes.survey.asking import Asking
from rollguard.adapters.kubernetes.survey.rights import rights_of
from rollguard.doctor import State
from rollguard.doctor import rights as doctor_rights
from rollguard.model.permissions import Permission, Scope
from rollguard.model.policy import Policy
from rollguard.record.crds import crds
from tests.lab.surgery import CLOCK, DEAD, Surgery, failed, policy_of, until
from tests.unit.doctor import building as sound

pytestmark = pytest.mark.lab
APPS = "doctor-apps"
GUARD = "doctor-guard"
SET = "doctor-set"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRD = f"{CRDS}/guardedunits.rollguard.dev"
BINDING = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/rollguard-actor"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bare(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    workdir = tmp_path_factory.mktemp("doctor-plane")
    # an autoscaler may let a workload go down to 0 only behind this gate
    async with ControlPlane.running(workdir, gates=("HPAScaleToZero=true",)) as plane:
        yield plane


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def here(bare: ControlPlane) -> AsyncIterator[Surgery]:
    """An installed guard that leads, with exactly its rights in the watched namespace and its own."""
    api = Api(load(bare.kubeconfig), CLOCK)
    async with LabApi.from_file(bare.kubeconfig) as admin:
        for name in (APPS, GUARD):
            await admin.create("/api/v1/namespaces", manifests.namespace(name))
        await install_manifests(api, CLOCK)
        account = Account(namespace=GUARD, name="rollguard")
        await admin.create(f"/api/v1/namespaces/{GUARD}/serviceaccounts", {"metadata": {"name": account.name}})
        for name in (APPS, GUARD):
            await admin.create(f"{RBAC}/{name}/roles", {"metadata": {"name": "rollguard"}, "rules": rules(name)})
            await admin.create(f"{RBAC}/{name}/rolebindings", binding(account))
        await admin.create(deployments(), manifests.deployment("translation", tag="v1"))
        leadership = KubernetesLeadership(api, CLOCK, namespace=GUARD, identity="lab")
        await leadership.renew(open_epochs=())
        yield Surgery(api=api, admin=admin, account=account, guard=GUARD)
    await api.close()


def deployments(name: str = "") -> str:
    return f"/apis/apps/v1/namespaces/{APPS}/deployments" + (f"/{name}" if name else "")


def plain() -> Policy:
    return policy_of(policies.policy(namespace=APPS, prometheus=DEAD, workloads=["translation"]))


def here_needed(namespace: str) -> list[Permission]:
    every = (right.permission for right in needed(plain()))
    return [each for each in every if each.scope.covers(namespace, watched=(APPS,), guard=GUARD)]


def rules(namespace: str, without: Permission | None = None) -> list[dict[str, Any]]:
    return [
        {"apiGroups": [each.group], "resources": [each.resource], "verbs": [each.verb]}
        for each in here_needed(namespace)
        if (each.group, each.resource, each.verb)
        != ((without.group, without.resource, without.verb) if without is not None else ())
    ]


def binding(account: Account) -> dict[str, Any]:
    return {
        "metadata": {"name": "rollguard"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "rollguard"},
        "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
    }


async def test_an_installed_guard_fails_in_nothing_but_the_store_that_is_not_there(here: Surgery) -> None:
    await until(lambda: nothing_but_the_store(here), what="an installed guard")
    checks = await here.checks(plain())
    (rights,) = [check for check in checks if check.name == "rights"]
    assert rights.subject == f"ServiceAccount {GUARD}/rollguard"


async def test_any_one_right_that_is_taken_away_is_named(here: Surgery) -> None:
    assert all(right.scope is not Scope.CLUSTER for right in needed(plain()))
    for namespace in (APPS, GUARD):
        for permission in here_needed(namespace):
            role = f"{RBAC}/{namespace}/roles/rollguard"
            await here.admin.patch(role, {"rules": rules(namespace, without=permission)}, MERGE)
            resource, slash, sub = permission.resource.partition("/")
            group = f".{permission.group}" if permission.group else ""
            wanted = [f"{permission.verb} {resource}{group}{slash}{sub} in {namespace}"]
            right = next(each for each in needed(plain()) if each.permission == permission)

            async def gone(right: Right = right, wanted: list[str] = wanted) -> bool:
                return await refused(here, (right,)) == wanted

            await until(gone, what=f"{wanted} named")
        assert await refused(here, needed(plain())) == wanted, "and nothing else"
        await here.admin.patch(f"{RBAC}/{namespace}/roles/rollguard", {"rules": rules(namespace)}, MERGE)


async def refused(surgery: Surgery, asked: tuple[Right, ...]) -> list[str]:
    """What doctor names, by the questions about these rights alone: the whole is too long for so many times."""
    every = RightsAsked(rights=asked, watched=(APPS,), guard=GUARD, sets=())
    found = await rights_of(Asking(surgery.api), surgery.account, every, me="nobody")
    checks = doctor_rights.checks(dataclasses.replace(sound.facts(), rights=found))
    return [check.subject for check in checks if check.state is State.FAILED]


async def test_a_guard_without_its_account_is_named(here: Surgery) -> None:
    other = Surgery(api=here.api, admin=here.admin, account=Account(namespace=GUARD, name="nobody"), guard=GUARD)
    await other.until_named(plain(), "account", State.FAILED, "there is no such account")


async def test_a_caller_who_may_not_ask_for_the_guard_is_told_his_own_rights(bare: ControlPlane, here: Surgery) -> None:
    api = Api(load(bare.kubeconfig_for("alice")), CLOCK)
    try:
        alice = Surgery(api=api, admin=here.admin, account=here.account, guard=GUARD)
        checks = await alice.checks(plain())
    finally:
        await api.close()
    (account,) = [check for check in checks if check.name == "account"]
    assert account.state is State.UNKNOWN
    (patch,) = [c for c in checks if c.name == "rights" and c.subject.startswith("patch deployments.apps in")]
    assert patch.found.startswith("alice (not the guard's account")
    unasked = {check.name for check in checks if check.state is State.UNKNOWN}
    assert unasked >= {"definitions", "admission", "enforced", "leader", "namespace"}


async def test_a_server_older_than_admission_policies_is_named(
    bare: ControlPlane, here: Surgery, tmp_path: Path
) -> None:
    """The server of now behind a front that speaks of itself as an old one."""
    script = Script(said={"/version": {"major": "1", "minor": "29", "gitVersion": "v1.29.14"}})
    async with proxying(
        upstream=bare.url, ca_file=bare.ca_file, token=bare.admin_token, workdir=tmp_path, script=script
    ) as front:
        api = Api(load(front.kubeconfig), CLOCK)
        try:
            old = dataclasses.replace(here, api=api)
            await old.until_named(plain(), "version", State.FAILED, "v1.29.14 is older than 1.30")
            assert [check.name for check in failed(await old.checks(plain()))] == ["version", "store"]
        finally:
            await api.close()


@asynccontextmanager
async def spoiled(surgery: Surgery) -> AsyncIterator[None]:
    """Definitions and admission policy are put right again afterwards."""
    try:
        yield
    finally:
        await install_manifests(surgery.api, CLOCK)


async def test_definitions_of_another_version_are_named(here: Surgery) -> None:
    found = await here.admin.get(CRD)
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    async with spoiled(here):
        schema["status"]["properties"]["novelty"] = {"type": "string"}
        await here.admin.replace(CRD, found)
        await here.until_named(plain(), "definitions", State.FAILED, "properties.novelty is not as ours")
    await until(lambda: nothing_but_the_store(here), what="the definitions of this version")


async def test_definitions_that_are_not_there_and_those_that_are_not_served_are_named(here: Surgery) -> None:
    name = "guardedrollouts.rollguard.dev"
    ours = next(crd for crd in crds() if crd["metadata"] == {"name": name})
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    rival = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "rivals.rollguard.dev"},
        "spec": {
            "group": "rollguard.dev",
            "scope": "Namespaced",
            "names": {"plural": "rivals", "kind": "GuardedRollout"},
            "versions": [version],
        },
    }
    async with spoiled(here):
        await here.admin.delete(f"{CRDS}/{name}")
        await here.until_named(plain(), "definitions", State.FAILED, f"{name}: not there")
        await here.admin.create(CRDS, rival)
        try:
            await here.admin.create(CRDS, ours)
            await here.until_named(plain(), "definitions", State.FAILED, f"{name}: not established: ")
        finally:
            await here.admin.delete(f"{CRDS}/rivals.rollguard.dev")
    await until(lambda: nothing_but_the_store(here), what="the definitions of this version")


async def nothing_but_the_store(surgery: Surgery) -> bool:
    return [check.name for check in failed(await surgery.checks(plain()))] == ["store"]


async def test_an_admission_policy_without_its_binding_is_named(here: Surgery) -> None:
    async with spoiled(here):
        await here.admin.delete(BINDING)
        await here.until_named(plain(), "admission", State.FAILED, "Binding rollguard-actor: not there")
        await here.until_named(plain(), "enforced", State.FAILED, "was not refused")


WORKLOADS: dict[str, tuple[dict[str, Any], str, State, str]] = {
    "paused": ({"paused": True}, "paused", State.FAILED, "every rollback is held"),
    "history 0": ({"revisionHistoryLimit": 0}, "history", State.WARNING, "revisionHistoryLimit 0"),
    "history 1": ({"revisionHistoryLimit": 1}, "history", State.WARNING, "revisionHistoryLimit 1"),
    "one replica": ({"replicas": 1}, "replicas", State.WARNING, "one replica"),
    "Recreate": (
        {"strategy": {"type": "Recreate", "rollingUpdate": None}},
        "strategy",
        State.WARNING,
        "only by approval",
    ),
}


@pytest.mark.parametrize("case", WORKLOADS)
async def test_what_is_wrong_with_a_workload_is_named(case: str, here: Surgery) -> None:
    change, name, state, words = WORKLOADS[case]
    before = (await here.admin.get(deployments("translation")))["spec"]
    await here.admin.patch(deployments("translation"), {"spec": change}, MERGE)
    check = await here.until_named(plain(), name, state, words)
    assert check.unit is not None
    undo = {key: before.get(key) for key in change}
    await here.admin.patch(deployments("translation"), {"spec": undo}, MERGE)


OWNERS: dict[str, tuple[dict[str, dict[str, str]], str]] = {
    "Argo CD": (
        {"labels": {"argocd.argoproj.io/instance": "shop"}},
        "Argo CD shop owns it: every rollback is held",
    ),
    "Helm": (
        {
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "shop"},
        },
        "owns it, and its state cannot be seen: every rollback is held",
    ),
}


@pytest.mark.parametrize("owner", OWNERS)
async def test_an_owner_is_named(owner: str, here: Surgery) -> None:
    marks, words = OWNERS[owner]
    await here.admin.patch(deployments("translation"), {"metadata": marks}, MERGE)
    await here.until_named(plain(), "owner", State.WARNING, words)
    none = {kind: dict.fromkeys(names) for kind, names in marks.items()}
    await here.admin.patch(deployments("translation"), {"metadata": none}, MERGE)


async def test_a_container_without_a_probe_and_a_workload_without_a_way_back_are_named(here: Surgery) -> None:
    await here.until_named(plain(), "way-back", State.WARNING, "no way back yet")
    body = manifests.deployment("unprobed", tag="v1")
    del body["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    await here.admin.create(deployments(), body)
    both = policy_of(policies.policy(namespace=APPS, prometheus=DEAD, workloads=["translation", "unprobed"]))
    await here.until_named(both, "probes", State.WARNING, "unprobed: no readiness probe: unprobed")
    await here.admin.delete(deployments("unprobed"))


def autoscaler(target: str, *, least: int, most: int) -> dict[str, Any]:
    usage = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    return {
        "metadata": {"name": target},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": usage}],
        },
    }


async def test_an_autoscaler_that_is_off_or_may_take_every_pod_away_is_named(here: Surgery) -> None:
    path = f"/apis/autoscaling/v2/namespaces/{APPS}/horizontalpodautoscalers"
    await here.admin.create(path, autoscaler("translation", least=2, most=4))
    await here.until_named(plain(), "autoscaler", State.WARNING, "does not scale", timeout_s=40.0)
    queue = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "10"}}
    to_zero = {"minReplicas": 0, "metrics": [{"type": "External", "external": queue}]}
    await here.admin.patch(f"{path}/translation", {"spec": to_zero}, MERGE)
    await here.until_named(plain(), "autoscaler", State.WARNING, "minReplicas 0: it may take every pod away")
    await here.admin.patch(deployments("translation"), {"spec": {"replicas": 0}}, MERGE)
    await here.until_named(plain(), "autoscaler", State.WARNING, "is off")
    await here.until_named(plain(), "replicas", State.WARNING, "is scaled to 0")
    await here.admin.delete(f"{path}/translation")
    await here.admin.patch(deployments("translation"), {"spec": {"replicas": 2}}, MERGE)


SERVICES = {"backend": "backend-service", "frontend": "frontend-service"}


def service(member: str, **selector: str) -> dict[str, Any]:
    made = manifests.service(SERVICES[member])
    made["spec"]["selector"] = {"app": member, "version": "blue", **selector}
    return made


def colour(member: str, colour_: str) -> dict[str, Any]:
    made = manifests.deployment(f"{member}-{colour_}", tag="v1")
    labels = {"app": member, "version": colour_}
    made["spec"]["selector"]["matchLabels"] = labels
    made["spec"]["template"]["metadata"]["labels"] = labels
    return made


async def test_what_is_wrong_with_a_release_set_is_named(here: Surgery) -> None:
    policy = policy_of(policies.set_policy(namespace=SET, prometheus=DEAD, services=SERVICES))
    apps, core = f"/apis/apps/v1/namespaces/{SET}/deployments", f"/api/v1/namespaces/{SET}/services"
    await here.admin.create("/api/v1/namespaces", manifests.namespace(SET))
    for member in SERVICES:
        await here.admin.create(core, service(member))
        for colour_ in ("blue", "green"):
            await here.admin.create(apps, colour(member, colour_))

    async def sound_() -> bool:
        checks = await here.checks(policy)
        return [check.state for check in checks if check.name == "release-set"] == [State.OK]

    async def selects(member: str, **selector: str | None) -> None:
        await here.admin.patch(f"{core}/{SERVICES[member]}", {"spec": {"selector": selector}}, MERGE)

    await until(sound_, what="a sound set")
    await selects("backend", tier="web")
    await here.until_named(policy, "release-set", State.FAILED, "the pods of backend-blue do not carry tier=web")
    await selects("backend", tier=None, version="red")
    await here.until_named(policy, "release-set", State.FAILED, "backend-service names version=red")
    await selects("backend", version="green")
    await here.until_named(policy, "release-set", State.WARNING, "it is switched in part: backend-service names green")
    await selects("backend", version="blue")
    scalers = f"/apis/autoscaling/v2/namespaces/{SET}/horizontalpodautoscalers"
    await here.admin.create(scalers, autoscaler("backend-green", least=1, most=1))
    await here.until_named(
        policy, "release-set", State.WARNING, "lets backend-green have 1 pod, and backend-blue has 2 pods"
    )
    await here.admin.delete(f"{scalers}/backend-green")
    await here.admin.delete(f"{core}/{SERVICES['frontend']}")
    await here.until_named(policy, "release-set", State.FAILED, f"there is no Service {SET}/frontend-service")
    await here.admin.create(core, service("frontend"))
    await here.admin.delete(f"{apps}/frontend-green")
    await here.until_named(policy, "release-set", State.FAILED, f"there is no Deployment {SET}/frontend-green")


async def test_a_guard_that_does_not_run_is_named(here: Surgery) -> None:
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{GUARD}/leases/rollguard"
    guards = f"/apis/apps/v1/namespaces/{GUARD}/deployments"
    await here.admin.create(guards, manifests.deployment("monitoring", tag="v1"))
    await here.until_named(plain(), "controller", State.FAILED, "0 of 2 replicas are ready")
    await here.admin.patch(lease, {"spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}}, MERGE)
    await here.until_named(plain(), "leader", State.FAILED, "lab holds it, but renewed it last")
    await here.admin.delete(lease)
    await here.until_named(plain(), "leader", State.FAILED, "nobody holds it")
    await here.admin.delete(f"{guards}/monitoring")
    await here.until_named(plain(), "controller", State.FAILED, "there is none")

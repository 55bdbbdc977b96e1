"""On a sound lab doctor finds nothing that failed; each failure that the lab can produce is produced and named."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab import manifests, policies
from lab.api import MERGE
from lab.api import Api as LabApi
from lab.controlplane import ControlPlane
from lab.scenarios.stage import Stage
from lab.world import Lab
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, KubernetesLeadership, install_manifests, load
from rollguard.adapters.kubernetes.connection.rights import Right, needed
from rollguard.adapters.kubernetes.survey import Account, RightsAsked
from rollguard.adapters.kubernetes.survey.asking import Asking
from rollguard.adapters.kubernetes.survey.rights import rights_of
from rollguard.cli.examination import Examiner
from rollguard.doctor import Check, State, examine
from rollguard.doctor import rights as doctor_rights
from rollguard.doctor.facts import Place
from rollguard.model.permissions import Permission, Scope
from rollguard.model.policy import Policy
from rollguard.policy import load as load_policy
from tests.unit.doctor import building as sound

pytestmark = pytest.mark.lab
CLOCK = SystemClock()
APPS = "doctor-apps"
GUARD = "doctor-guard"
DEAD = "http://127.0.0.1:9"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/guardedunits.rollguard.dev"
BINDING = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/rollguard-actor"


def policy_of(document: dict[str, Any]) -> Policy:
    loaded = load_policy(json.dumps(document), "policy.json")
    assert isinstance(loaded, Policy), loaded
    return loaded


@dataclass(slots=True, kw_only=True)
class Surgery:
    """Doctor on one cluster, as the administrator."""

    api: Api
    admin: LabApi
    account: Account
    guard: str
    place: Place = Place.GUARD

    async def checks(self, policy: Policy) -> tuple[Check, ...]:
        return examine(await self.examiner().facts(policy))

    def examiner(self) -> Examiner:
        return Examiner(
            api=self.api,
            clock=CLOCK,
            guard_namespace=self.guard,
            account=self.account,
            place=self.place,
        )

    async def until_named(
        self, policy: Policy, name: str, state: State, words: str, *, timeout_s: float = 20.0
    ) -> Check:
        """The first check of that name, state and words; the server's own caches may take a moment."""
        deadline = time.monotonic() + timeout_s
        while True:
            checks = await self.checks(policy)
            for check in checks:
                if check.name == name and check.state is state and words in f"{check.subject}: {check.found}":
                    assert check.what_to_do
                    return check
            told = [check for check in checks if check.state is not State.OK]
            assert time.monotonic() < deadline, f"{name} {state} {words!r} is not among {told}"
            await asyncio.sleep(0.05)


def failed(checks: tuple[Check, ...]) -> list[Check]:
    return [check for check in checks if check.state is State.FAILED]


# --- with metrics: the lab ---


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(lab: Lab) -> Stage:
    """A guarded model service with traffic and a known past."""
    here = Stage(lab=lab, account=await lab.install(), namespace="doctor")
    await lab.namespace(here.namespace)
    await here.guarded("translation", replicas=2, rps=40)
    return here


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def there(stage: Stage) -> AsyncIterator[Surgery]:
    api = Api(load(stage.lab.kubeconfig), CLOCK)
    account = Account(namespace="monitoring", name="rollguard")
    yield Surgery(api=api, admin=stage.lab.api, account=account, guard=stage.guard_namespace)
    await api.close()


def document(stage: Stage, **spec: Any) -> dict[str, Any]:
    return policies.policy(
        namespace=stage.namespace, prometheus=stage.lab.prometheus.url, workloads=["translation"], **spec
    )


async def test_on_a_sound_lab_nothing_failed_and_each_signal_has_a_value(stage: Stage, tmp_path: Path) -> None:
    policy = policies.write(tmp_path / "policy.json", document(stage))
    command = [str(Path(sys.executable).with_name("rollguard")), "doctor", "--policy", str(policy)]
    command += ["--kubeconfig", str(stage.lab.kubeconfig), "--guard-namespace", stage.guard_namespace]
    command += ["--account", "monitoring/rollguard", "-o", "json"]
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    took = time.monotonic() - began
    found = json.loads(out)
    print(f"doctor took {took:.1f} s: {found['summary']}")
    assert [check for check in found["checks"] if check["state"] == "failed"] == []
    assert process.returncode == 0
    values = {check["subject"]: check for check in found["checks"] if check["name"] == "signal"}
    assert values["errors of doctor/translation"]["state"] == "ok"
    assert "requests in 8s" in values["errors of doctor/translation"]["found"]
    assert values["latency of doctor/translation"]["state"] == "ok"
    by_name = {check["name"]: check for check in found["checks"]}
    for name in (
        "version",
        "definitions",
        "admission",
        "enforced",
        "rights",
        "leader",
        "clock",
        "way-back",
        "store",
        "interval",
        "apart",
        "edges",
    ):
        assert by_name[name]["state"] == "ok", by_name[name]


SPOILED: dict[str, tuple[dict[str, Any], str, State, str]] = {
    "a dead address": ({"metrics": {"address": DEAD}}, "store", State.FAILED, "127.0.0.1:9"),
    "no series": (
        {"signals": {"errors": {"total": "http_requests_of_nobody_total"}}},
        "signal",
        State.FAILED,
        "blind, because the store has no series of http_requests_of_nobody_total",
    ),
    "no pod label": ({"labels": {"pod": "pod_name"}}, "apart", State.FAILED, "carries `pod_name`"),
    "blind without the label": ({"labels": {"pod": "pod_name"}}, "signal", State.FAILED, "blind, because none of"),
    "no namespace label": (
        {"labels": {"namespace": "kubernetes_namespace"}},
        "signal",
        State.FAILED,
        "carries the label `kubernetes_namespace`",
    ),
    "before against after": ({"labels": {"pod": ""}}, "apart", State.WARNING, "before against after only"),
    "no edge beyond the bound": (
        {"latency": "300s"},
        "edges",
        State.FAILED,
        "level rollback can never be reached",
    ),
    "no edge at the bound": ({"latency": "7s"}, "edges", State.WARNING, "rollback at 7s is judged at 10s"),
    "the clock": ({"timing": {"clockOffset": "1ms"}}, "clock", State.FAILED, "the guard"),
    "scraped too seldom": ({"interval": "300ms"}, "interval", State.FAILED, "every 1s, the policy says 300ms"),
    "little traffic": (
        {"signals": {"errors": {"minimumTraffic": 900_000}}},
        "signal",
        State.WARNING,
        "too little traffic",
    ),
    "no such workload": ({"watch": "lip-sync"}, "watch", State.FAILED, "there is no Deployment doctor/lip-sync"),
    "no such namespace": ({"namespace": "doctor-nowhere"}, "namespace", State.FAILED, "there is no such namespace"),
    "a dead channel": (
        {"notify": {"webhooks": [{"name": "hook", "url": f"{DEAD}/secret-path"}]}},
        "channel",
        State.FAILED,
        "port 9 took no connection",
    ),
    "a missing file": (
        {"auth": {"bearerTokenFile": "/nowhere/token"}},
        "file",
        State.FAILED,
        "/nowhere/token",
    ),
}


def spoil(stage: Stage, change: dict[str, Any]) -> Policy:
    made = document(stage)
    spec = made["spec"]
    metrics = spec["metrics"]
    metrics |= change.get("metrics", {})
    metrics |= {"labels": change["labels"]} if "labels" in change else {}
    metrics |= {"scrapeInterval": change["interval"]} if "interval" in change else {}
    metrics |= {"auth": change["auth"]} if "auth" in change else {}
    for name, keys in change.get("signals", {}).items():
        spec["signals"][name] |= keys
    if "latency" in change:
        bounds = {"warning": "500ms", "critical": "2s", "rollback": change["latency"]}
        levels = {name: {"p95": bound, "for": f"{policies.WINDOW_S}s"} for name, bound in bounds.items()}
        spec["signals"]["latency"]["levels"] = levels
    spec["timing"] |= change.get("timing", {})
    spec |= {"notify": change["notify"]} if "notify" in change else {}
    if "watch" in change:
        spec["watch"][0]["workloads"] = [change["watch"]]
    if "namespace" in change:
        spec["watch"][0]["namespace"] = change["namespace"]
    return policy_of(made)


@pytest.mark.parametrize("case", SPOILED)
async def test_what_is_wrong_with_policy_metrics_and_channels_is_named(case: str, stage: Stage, there: Surgery) -> None:
    change, name, state, words = SPOILED[case]
    check = await there.until_named(spoil(stage, change), name, state, words)
    assert "secret-path" not in str(check)


async def test_a_store_that_stops_is_named_by_the_controller_in_status_and_taken_back(stage: Stage) -> None:
    """The controller examines at its start: one whose policy names a dead store says so in the record of everything."""
    guard_namespace = await stage.lab.namespace("doctor-blind-guard")
    made = policies.policy(namespace=stage.namespace, prometheus=DEAD, workloads=["translation"])
    policy = policies.write(stage.lab.workdir / "doctor-blind-policy.json", made)
    await stage.lab.grant(policy, namespace=guard_namespace)
    guard = stage.lab.controller(policy, kubeconfig=stage.account, name="doctor-blind", namespace=guard_namespace)
    path = f"/apis/rollguard.dev/v1alpha1/namespaces/{guard_namespace}/guardedunits/rollguard-all"
    seen: list[Any] = [None]

    async def told() -> bool:
        seen[0] = await stage.lab.api.find(path)
        conditions = (seen[0] or {}).get("status", {}).get("conditions", [])
        return any(each["name"] == "DoctorStore" and "127.0.0.1:9" in each["value"] for each in conditions)

    await stage.lab.until(told, what="the condition DoctorStore", seen=lambda: seen[0])
    await guard.stop()
    failed_ = [record for record in guard.records() if record.get("event") == "doctor-failed"]
    assert [record["check"] for record in failed_] == ["store"]


# --- without nodes: a control plane of its own, whose definitions may be spoiled ---


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bare(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    async with ControlPlane.running(tmp_path_factory.mktemp("doctor-plane")) as plane:
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


async def until(probe: Callable[[], Awaitable[bool]], *, what: str, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not await probe():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


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


async def test_an_owner_is_named(here: Surgery) -> None:
    mark = {"metadata": {"labels": {"argocd.argoproj.io/instance": "shop"}}}
    await here.admin.patch(deployments("translation"), mark, MERGE)
    await here.until_named(plain(), "owner", State.WARNING, "Argo CD shop owns it: every rollback is held")
    await here.admin.patch(
        deployments("translation"), {"metadata": {"labels": {"argocd.argoproj.io/instance": None}}}, MERGE
    )


async def test_a_container_without_a_probe_and_a_workload_without_a_way_back_are_named(here: Surgery) -> None:
    await here.until_named(plain(), "way-back", State.WARNING, "no way back yet")
    body = manifests.deployment("unprobed", tag="v1")
    del body["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    await here.admin.create(deployments(), body)
    both = policy_of(policies.policy(namespace=APPS, prometheus=DEAD, workloads=["translation", "unprobed"]))
    await here.until_named(both, "probes", State.WARNING, "unprobed: no readiness probe: unprobed")
    await here.admin.delete(deployments("unprobed"))


async def test_an_autoscaler_that_is_off_is_named(here: Surgery) -> None:
    scaler = {
        "metadata": {"name": "translation"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "translation"},
            "minReplicas": 2,
            "maxReplicas": 4,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                }
            ],
        },
    }
    path = f"/apis/autoscaling/v2/namespaces/{APPS}/horizontalpodautoscalers"
    await here.admin.create(path, scaler)
    await here.until_named(plain(), "autoscaler", State.WARNING, "does not scale", timeout_s=40.0)
    await here.admin.patch(deployments("translation"), {"spec": {"replicas": 0}}, MERGE)
    await here.until_named(plain(), "autoscaler", State.WARNING, "is off")
    await here.admin.delete(f"{path}/translation")
    await here.admin.patch(deployments("translation"), {"spec": {"replicas": 2}}, MERGE)


async def test_a_guard_that_does_not_run_is_named(here: Surgery) -> None:
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{GUARD}/leases/rollguard"
    await here.admin.create(
        f"/apis/apps/v1/namespaces/{GUARD}/deployments", manifests.deployment("monitoring", tag="v1")
    )
    await here.until_named(plain(), "controller", State.FAILED, "0 of 2 replicas are ready")
    await here.admin.delete(lease)
    await here.until_named(plain(), "leader", State.FAILED, "nobody holds it")

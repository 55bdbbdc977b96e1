"""The Kubernetes adapter against the real API server and its controllers."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import gzip
import json
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from lab import manifests
from lab.api import JSON_PATCH, MERGE, ApiError
from lab.api import Api as LabApi
from lab.controlplane import ControlPlane
from lab.world import Lab, deployment_path
from rollguard import observe
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import (
    Api,
    KubernetesCluster,
    KubernetesLeadership,
    KubernetesRecords,
    Look,
    install_manifests,
    load,
)
from rollguard.model.action import (
    Absent,
    Applied,
    Conflict,
    Found,
    Plan,
    Rejected,
    Step,
    StepKind,
    StepState,
    Target,
    Unknown,
    Write,
)
from rollguard.model.facts import ABSENT, HelmRelease, Owner, Tool, UnitFacts
from rollguard.model.judgement import Phase, VerdictKind
from rollguard.model.names import Ref, RolloutId, TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import Mode
from rollguard.model.records import Exists, LifecycleState, RolloutRecord, Stale, StoredRollout, UnitRecord
from rollguard.model.time import Instant
from rollguard.ports import Held, NotHeld

pytestmark = pytest.mark.lab
CLOCK = SystemClock()
NOW = Instant(1_700_000_000.0)
OWN = "/apis/rollguard.dev/v1alpha1/namespaces"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def api(control_plane: ControlPlane) -> AsyncIterator[Api]:
    """Our client as the administrator, on a cluster with our definitions and admission policy."""
    client = Api(load(control_plane.kubeconfig), CLOCK)
    await install_manifests(client, CLOCK)
    yield client
    await client.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def admin(control_plane: ControlPlane) -> AsyncIterator[LabApi]:
    """The lab's plain client, with which tests look at and change the world."""
    async with LabApi.from_file(control_plane.kubeconfig) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def namespace(admin: LabApi) -> AsyncIterator[str]:
    """A namespace of the test's own."""
    name = f"adapter-{secrets.token_hex(4)}"
    await admin.create("/api/v1/namespaces", manifests.namespace(name))
    yield name
    await admin.clear(name)


async def until(probe: Callable[[], Awaitable[bool]], *, what: str, timeout_s: float = 30.0) -> None:
    """Polls until the probe says yes."""
    deadline = time.monotonic() + timeout_s
    while not await probe():
        assert time.monotonic() < deadline, f"{what} did not come within {timeout_s} s"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def guarding(api: Api, namespace: str, *names: str, look: Look | None = None) -> AsyncIterator[KubernetesCluster]:
    """A cluster adapter that guards these Deployments, once their facts are complete."""
    async with KubernetesCluster(api, CLOCK, random.Random(1), look=look) as cluster:
        cluster.guard(frozenset(unit(namespace, name) for name in names))

        async def complete() -> bool:
            return all(cluster.facts(unit(namespace, name)).complete for name in names)

        await until(complete, what="complete facts")
        yield cluster


def unit(namespace: str, name: str) -> UnitName:
    return UnitName(namespace, f"deployment-{name}")


async def make(admin: LabApi, namespace: str, name: str, tag: str = "v1", **options: Any) -> None:
    body = manifests.deployment(name, tag=tag, **options)
    await admin.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)


async def release(admin: LabApi, namespace: str, name: str, tag: str) -> None:
    path = "/spec/template/spec/containers/0/image"
    patch = [{"op": "replace", "path": path, "value": manifests.image(name, tag)}]
    await admin.patch(deployment_path(namespace, name), patch, JSON_PATCH)


async def fetched(cluster: KubernetesCluster, namespace: str, name: str) -> Found:
    found = await cluster.fetch(Ref("Deployment", namespace, name), timeout=5.0)
    assert isinstance(found, Found)
    return found


def restore(found: Found, namespace: str, name: str, body: str) -> Write:
    """The patch of an undo: uid and template as they were read, or nothing."""
    receipt: dict[str, Any] = (
        {"op": "add", "path": "/metadata/annotations/rollguard.dev~1step", "value": "plan/1"}
        if found.has_annotations
        else {"op": "add", "path": "/metadata/annotations", "value": {"rollguard.dev/step": "plan/1"}}
    )
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": found.uid},
        {"op": "test", "path": "/spec/template", "value": json.loads(found.raw_template)},
        receipt,
        {"op": "replace", "path": "/spec/template", "value": json.loads(body)},
    ]
    return Write(ref=Ref("Deployment", namespace, name, found.uid), patch=json.dumps(patch))


# --- facts ---


async def test_facts_of_a_rolled_deployment_name_both_revisions_and_their_pods(
    api: Api, admin: LabApi, namespace: str
) -> None:
    await make(admin, namespace, "translation")
    async with guarding(api, namespace, "translation") as cluster:
        subject = unit(namespace, "translation")

        async def pods_of(tag: str) -> bool:
            seen = cluster.facts(subject)
            member = seen.members[0] if seen.members else None
            target = member.target() if member else None
            return (
                target is not None
                and target.template.images[0][1].endswith(tag)
                and any(pod.revision == target.hash for pod in seen.pods)
            )

        await until(lambda: pods_of(":v1"), what="pods of v1")
        first = cluster.facts(subject).members[0].target()
        await release(admin, namespace, "translation", "v2")
        await until(lambda: pods_of(":v2"), what="pods of v2")
        seen = cluster.facts(subject)
        member = seen.members[0]
        second = member.target()
        assert first is not None
        assert second is not None
        assert (first.number, second.number) == (1, 2)
        assert member.template.digest == second.template.digest != first.template.digest
        assert {revision.hash for revision in member.revisions} == {first.hash, second.hash}
        assert {pod.revision for pod in seen.pods} == {first.hash, second.hash}
        assert all(pod.workload == WorkloadName(namespace, WorkloadKind.DEPLOYMENT, "translation") for pod in seen.pods)
        assert "pod-template-hash" not in second.template.body


async def test_the_pods_of_a_running_service_are_ready_since_a_time_and_name_their_node(
    lab: Lab, api: Api, namespace: str
) -> None:
    await lab.namespace(namespace)
    await lab.deploy(namespace, "lip-sync", replicas=2)
    await lab.until_rolled_out(namespace, "lip-sync")
    async with guarding(api, namespace, "lip-sync") as cluster:
        seen = cluster.facts(unit(namespace, "lip-sync"))
        assert [pod.ready for pod in seen.pods] == [True, True]
        for pod in seen.pods:
            assert pod.ready_since is not None
            assert pod.ready_since >= pod.created
            assert pod.node in lab.settings.nodes
            assert [(c.name, c.in_template, c.ready) for c in pod.containers] == [("lip-sync", True, True)]
            assert pod.containers[0].image_id


PUSHED_AGAIN = "v9"
"""A tag that nobody else uses: a node keeps what it pulled, also for the stories that come later."""


async def configured(admin: LabApi, namespace: str) -> None:
    """A Helm release of one Deployment that reads a ConfigMap and a Secret, and pulls its image for every pod."""
    core = f"/api/v1/namespaces/{namespace}"
    labels = {"owner": "helm", "name": "shop", "status": "pending-upgrade", "version": "2"}
    release_ = {"metadata": {"name": "sh.helm.release.v1.shop.v2", "labels": labels}, "type": "helm.sh/release.v1"}
    await admin.create(f"{core}/configmaps", {"metadata": {"name": "settings"}, "data": {"mode": "a"}})
    await admin.create(f"{core}/secrets", {"metadata": {"name": "db"}, "stringData": {"password": "hunter2"}})
    await admin.create(f"{core}/secrets", release_)
    body = manifests.deployment("lip-sync", tag=PUSHED_AGAIN, replicas=1)
    body["metadata"]["labels"] |= {"app.kubernetes.io/managed-by": "Helm", "argocd.argoproj.io/instance": "team"}
    body["metadata"]["annotations"] |= {"meta.helm.sh/release-name": "shop"}
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["imagePullPolicy"] = "Always"
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "db"}}]
    container["envFrom"] += [{"configMapRef": {"name": "extra", "optional": True}}]
    await admin.create(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)


async def test_configuration_image_digests_and_owners_arrive_as_facts(
    lab: Lab, api: Api, admin: LabApi, namespace: str
) -> None:
    await lab.namespace(namespace)
    await configured(admin, namespace)
    await lab.until_rolled_out(namespace, "lip-sync")
    subject, core = unit(namespace, "lip-sync"), f"/api/v1/namespaces/{namespace}"
    async with guarding(api, namespace, "lip-sync", look=Look(secrets=True)) as cluster:
        seen = cluster.facts(subject)
        target = seen.members[0].target()
        assert target is not None
        good = observe.good_revision(target, seen, NOW)
        then = dict(good.config)
        assert set(then) == {"ConfigMap/settings", "ConfigMap/extra", "Secret/db"}
        assert then["ConfigMap/extra"] == ABSENT
        assert [container for container, _ in good.image_ids] == ["lip-sync"]
        assert set(seen.members[0].owners) == {
            Owner(tool=Tool.HELM, name="shop", namespace=namespace),
            Owner(tool=Tool.ARGO_CD, name="team", namespace=""),
        }
        assert seen.helm == (HelmRelease(name="shop", namespace=namespace, version=2, status="pending-upgrade"),)
        assert "hunter2" not in repr(seen)
        await admin.patch(f"{core}/configmaps/settings", {"data": {"mode": "b"}}, MERGE)
        await admin.patch(f"{core}/secrets/db", {"stringData": {"password": "hunter3"}}, MERGE)
        await admin.create(f"{core}/configmaps", {"metadata": {"name": "extra"}, "data": {"a": "b"}})
        deployed = {"metadata": {"labels": {"status": "deployed"}}}
        await admin.patch(f"{core}/secrets/sh.helm.release.v1.shop.v2", deployed, MERGE)
        await lab.disturb(namespace, image=manifests.image("lip-sync", PUSHED_AGAIN), retag="pushed again")
        await admin.delete(f"{core}/pods/{seen.pods[0].name}")

        async def all_changed() -> bool:
            now = cluster.facts(subject)
            contents = {observe.content_of(c.image_id) for pod in now.pods for c in pod.containers if c.image_id}
            return (
                all(now.config.fingerprint(name) != was for name, was in then.items())
                and [release_.status for release_ in now.helm] == ["deployed"]
                and bool(contents - {content for _, content in good.image_ids})
            )

        await until(all_changed, what="changes of configuration, image and release")


async def test_evidence_holds_the_logs_of_a_crashing_version(lab: Lab, api: Api, admin: LabApi, namespace: str) -> None:
    await lab.namespace(namespace)
    await lab.deploy(namespace, "lip-sync", replicas=1)
    await lab.until_rolled_out(namespace, "lip-sync")
    await lab.release(namespace, "lip-sync", "v2-crash")
    async with guarding(api, namespace, "lip-sync") as cluster:
        subject = unit(namespace, "lip-sync")

        async def restarted() -> bool:
            return any(c.restarts for pod in cluster.facts(subject).pods for c in pod.containers)

        await until(restarted, what="a restart", timeout_s=60)
        target = cluster.facts(subject).members[0].target()
        bad = frozenset({target.hash} if target is not None else ())
        saved = await cluster.save_evidence(RolloutId("lip-sync-2-abc"), subject, bad=bad, timeout=5.0)
        assert saved.names == ("lip-sync-2-abc-evidence-1",)
        assert saved.complete, saved.detail
        kept = await admin.get(f"/api/v1/namespaces/{namespace}/configmaps/{saved.names[0]}")
        files = unpack(kept)
        assert {"pods.json", "events.json", "workload.json"} < files.keys()
        crashing = [text for name, text in files.items() if name.endswith(".log") and "lip-sync" in name]
        assert any("Traceback" in text or "panic" in text or "fatal" in text.lower() for text in crashing), crashing
        again = await cluster.save_evidence(RolloutId("lip-sync-2-abc"), subject, bad=bad, timeout=5.0)
        assert again.names == saved.names


def unpack(config_map: Any) -> dict[str, str]:
    return {
        name.removesuffix(".gz"): gzip.decompress(base64.b64decode(content)).decode()
        for name, content in config_map["binaryData"].items()
    }


async def test_changes_wake_for_a_guarded_unit_and_inventory_knows_all(api: Api, admin: LabApi, namespace: str) -> None:
    await make(admin, namespace, "speech-to-text")
    async with guarding(api, namespace, "speech-to-text") as cluster:
        items = cluster.inventory()
        assert items is not None
        assert WorkloadName(namespace, WorkloadKind.DEPLOYMENT, "speech-to-text") in {item.name for item in items}
        changes = cluster.changes()
        await drain(changes)
        await release(admin, namespace, "speech-to-text", "v2")
        async with asyncio.timeout(60):
            assert await anext(changes) == unit(namespace, "speech-to-text")


async def drain(changes: AsyncIterator[UnitName]) -> None:
    """Takes what is already there."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            async for _ in changes:
                pass


# --- writes ---


async def test_the_write_guard_passes_after_a_scale_and_fails_after_a_change_of_the_template(
    api: Api, admin: LabApi, namespace: str
) -> None:
    await make(admin, namespace, "translation")
    async with guarding(api, namespace, "translation") as cluster:
        good = await fetched(cluster, namespace, "translation")
        await release(admin, namespace, "translation", "v2-errors-15pct")
        bad = await fetched(cluster, namespace, "translation")
        path = deployment_path(namespace, "translation")
        await admin.patch(path, {"spec": {"replicas": 3}}, MERGE)
        write = restore(bad, namespace, "translation", good.template_body)
        rehearsed = await cluster.apply(write, dry_run=True, timeout=5.0)
        assert isinstance(rehearsed, Applied)
        assert (await fetched(cluster, namespace, "translation")).template_digest == bad.template_digest
        assert isinstance(await cluster.apply(write, dry_run=False, timeout=5.0), Applied)
        restored = await fetched(cluster, namespace, "translation")
        assert restored.template_digest == good.template_digest
        assert restored.receipt == "plan/1"
        assert (await admin.get(path))["spec"]["replicas"] == 3
        await release(admin, namespace, "translation", "v3-hotfix")
        late = await cluster.apply(write, dry_run=False, timeout=5.0)
        assert isinstance(late, Conflict)
        assert "/spec/template" in late.detail
        assert "v3-hotfix" in (await fetched(cluster, namespace, "translation")).template_body


async def test_an_invalid_value_is_rejected_and_an_absent_object_is_absent(
    api: Api, admin: LabApi, namespace: str
) -> None:
    await make(admin, namespace, "translation")
    async with guarding(api, namespace, "translation") as cluster:
        found = await fetched(cluster, namespace, "translation")
        broken = restore(found, namespace, "translation", json.dumps({"metadata": {}, "spec": {"containers": []}}))
        outcome = await cluster.apply(broken, dry_run=False, timeout=5.0)
        assert isinstance(outcome, Rejected)
        assert outcome.status == 422
        nowhere = dataclasses.replace(broken, ref=Ref("Deployment", namespace, "nobody"))
        assert await cluster.apply(nowhere, dry_run=False, timeout=5.0) == Absent()
        assert await cluster.fetch(Ref("Deployment", namespace, "translation", "another-uid"), timeout=5.0) == Absent()


async def test_without_the_right_a_write_is_rejected_with_the_servers_words(
    control_plane: ControlPlane, api: Api, admin: LabApi, namespace: str
) -> None:
    await make(admin, namespace, "translation")
    stranger = Api(load(control_plane.kubeconfig_for("nobody")), CLOCK)
    async with (
        guarding(api, namespace, "translation") as cluster,
        KubernetesCluster(stranger, CLOCK, random.Random(1)) as powerless,
    ):
        found = await fetched(cluster, namespace, "translation")
        write = restore(found, namespace, "translation", found.template_body)
        outcome = await powerless.apply(write, dry_run=True, timeout=5.0)
        assert isinstance(outcome, Rejected)
        assert outcome.status == 403
        assert not outcome.passing
        assert "cannot patch" in outcome.detail
        # A server that has just started knows no rights yet: a real write, whose dry run was allowed, is tried again.
        refused = await powerless.apply(write, dry_run=False, timeout=5.0)
        assert isinstance(refused, Rejected)
        assert refused.passing
        assert powerless.inventory() is None
        assert not powerless.facts(unit(namespace, "translation")).complete
    await stranger.close()


async def test_a_template_is_kept_once_and_comes_back_equal(api: Api, admin: LabApi, namespace: str) -> None:
    await make(admin, namespace, "translation")
    async with guarding(api, namespace, "translation") as cluster:
        workload = WorkloadName(namespace, WorkloadKind.DEPLOYMENT, "translation")
        template = cluster.facts(unit(namespace, "translation")).members[0].template
        name = await cluster.save_template(workload, template, timeout=5.0)
        assert isinstance(name, str)
        assert await cluster.save_template(workload, template, timeout=5.0) == name
        assert await cluster.load_template(namespace, name, timeout=5.0) == template
        assert await cluster.load_template(namespace, "nothing", timeout=5.0) == Absent()
        kept = await admin.get(f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions/{name}")
        assert "ownerReferences" not in kept["metadata"]


async def test_an_event_stands_on_the_workload(api: Api, admin: LabApi, namespace: str) -> None:
    await make(admin, namespace, "translation")
    async with guarding(api, namespace, "translation") as cluster:
        uid = cluster.facts(unit(namespace, "translation")).members[0].uid
        workload = WorkloadName(namespace, WorkloadKind.DEPLOYMENT, "translation")
        await cluster.emit_event(workload, uid, "RolledBack", "went back to revision 1", warning=True)
    events = await admin.list(f"/api/v1/namespaces/{namespace}/events")
    ours = [event for event in events if event["reason"] == "RolledBack"]
    assert [(event["type"], event["message"]) for event in ours] == [("Warning", "went back to revision 1")]
    assert ours[0]["involvedObject"]["uid"] == uid


async def test_the_servers_clock_is_ours_on_one_machine(api: Api) -> None:
    offset = api.clock_offset()
    assert offset is not None
    assert abs(offset) < 1.0


# --- records ---


def rollout(namespace: str, name: str = "translation-2-abc", **changes: Any) -> RolloutRecord:
    record = RolloutRecord(
        id=RolloutId(name),
        unit=unit(namespace, "translation"),
        workload=WorkloadName(namespace, WorkloadKind.DEPLOYMENT, "translation"),
        uid="uid-1",
        started=NOW,
        target=TemplateHash("abc"),
        target_number=2,
        target_digest="d2",
        target_images=(("translation", "translation:v2"),),
        baseline=TemplateHash("def"),
        baseline_number=1,
        baseline_images=(("translation", "translation:v1"),),
        policy_digest="p",
        mode=Mode.AUTOMATIC,
        state=LifecycleState.WATCHING,
        phase=Phase.STARTUP,
        epoch=3,
        verdict=VerdictKind.UNDECIDED,
        why="just begun",
    )
    return dataclasses.replace(record, **changes)


def plan(id_: str = "plan-1", **changes: Any) -> Plan:
    step = Step(
        n=1,
        kind=StepKind.RESTORE_TEMPLATE,
        target=Ref("Deployment", "prod", "translation", "uid-1"),
        precondition="d2",
        goal="d1",
        body='{"metadata":{},"spec":{}}',
        revision=2,
    )
    whole = Plan(
        id=id_,
        epoch=3,
        created=NOW,
        expires=NOW.plus(900),
        reason="error rate 15% over 10%",
        actor="rollguard",
        target=Target(hash=TemplateHash("def"), number=1, images=(), judged=True),
        steps=(step,),
    )
    return dataclasses.replace(whole, **changes)


@pytest.fixture
def records(api: Api) -> KubernetesRecords:
    return KubernetesRecords(api, CLOCK, random.Random(1))


async def stored(records: KubernetesRecords, record: RolloutRecord) -> StoredRollout:
    made = await records.create_rollout(record)
    assert isinstance(made, StoredRollout), made
    return made


async def test_a_rollout_is_created_once_and_replaced_only_at_its_version(
    records: KubernetesRecords, namespace: str
) -> None:
    record = rollout(namespace)
    first = await stored(records, record)
    assert first.record == record
    assert await records.create_rollout(record) == Exists()
    acted = dataclasses.replace(record, state=LifecycleState.PLANNED, plan=plan())
    second = await records.replace_rollout(first, acted)
    assert isinstance(second, StoredRollout)
    assert second.record == acted
    assert await records.replace_rollout(first, record) == Stale()
    assert await records.read_rollout(record.unit, record.id) == second
    assert await records.delete_rollout(second) is None
    assert await records.read_rollout(record.unit, record.id) == Absent()


async def test_a_deleted_rollout_takes_its_evidence_along(
    records: KubernetesRecords, admin: LabApi, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await admin.create(path, {"metadata": {"name": "e-1"}})
    made = await stored(records, rollout(namespace, evidence=("e-1", "e-2")))
    assert await records.delete_rollout(made) is None
    assert await admin.find(f"{path}/e-1") is None
    assert await records.read_rollout(made.record.unit, made.record.id) == Absent()


async def test_a_creation_that_was_cut_short_is_completed(
    records: KubernetesRecords, admin: LabApi, namespace: str
) -> None:
    record = rollout(namespace)
    bare = {
        "apiVersion": "rollguard.dev/v1alpha1",
        "kind": "GuardedRollout",
        "metadata": {"name": record.id, "namespace": namespace},
    }
    await admin.create(f"{OWN}/{namespace}/guardedrollouts", bare)
    assert await records.read_rollout(record.unit, record.id) == Absent()
    assert (await stored(records, record)).record == record


async def test_open_rollouts_are_listed_without_the_closed(records: KubernetesRecords, namespace: str) -> None:
    await stored(records, rollout(namespace, "open-1"))
    await stored(records, rollout(namespace, "closed-1", state=LifecycleState.CLOSED, closed=NOW))
    listed = await records.list_rollouts(open_only=True)
    assert not isinstance(listed, Unknown)
    assert [each.record.id for each in listed if each.record.unit.namespace == namespace] == ["open-1"]


async def refused(records: KubernetesRecords, before: StoredRollout, after: RolloutRecord, words: str) -> None:
    """The server refuses the write with these words, and the object stays as it was."""
    outcome = await records.replace_rollout(before, after)
    assert isinstance(outcome, Unknown), outcome
    assert words in outcome.detail
    assert await records.read_rollout(before.record.unit, before.record.id) == before


async def test_the_epoch_never_falls(records: KubernetesRecords, namespace: str) -> None:
    made = await stored(records, rollout(namespace))
    await refused(records, made, dataclasses.replace(made.record, epoch=2), "the epoch never falls")


async def test_a_live_plan_cannot_be_changed_replaced_or_removed(records: KubernetesRecords, namespace: str) -> None:
    made = await stored(records, rollout(namespace, state=LifecycleState.ACTING, plan=plan()))
    record = made.record
    step = plan().steps[0]
    for changed in (
        plan(expires=NOW.plus(9000)),
        plan(epoch=4),
        plan(steps=(dataclasses.replace(step, body='{"metadata":{},"spec":{"evil":1}}'),)),
        plan(steps=(dataclasses.replace(step, target=Ref("Deployment", "prod", "other", "uid-2")),)),
        plan(steps=(step, dataclasses.replace(step, n=2))),
    ):
        await refused(records, made, dataclasses.replace(record, plan=changed), "immutable")
    other = dataclasses.replace(record, plan=plan("plan-2"))
    await refused(records, made, other, "cannot be replaced")
    await refused(records, made, dataclasses.replace(record, plan=None), "cannot be removed")


async def test_step_states_only_advance(records: KubernetesRecords, namespace: str) -> None:
    made = await stored(records, rollout(namespace, state=LifecycleState.ACTING, plan=plan()))

    def at(state: StepState) -> RolloutRecord:
        return dataclasses.replace(made.record, plan=plan(steps=(dataclasses.replace(plan().steps[0], state=state),)))

    trying = await records.replace_rollout(made, at(StepState.TRYING))
    assert isinstance(trying, StoredRollout)
    await refused(records, trying, at(StepState.PENDING), "only advance")
    done = await records.replace_rollout(trying, at(StepState.DONE))
    assert isinstance(done, StoredRollout)
    await refused(records, done, at(StepState.FAILED), "only advance")


async def test_a_plan_that_is_no_longer_live_gives_way_to_a_new_one(records: KubernetesRecords, namespace: str) -> None:
    made = await stored(records, rollout(namespace, state=LifecycleState.ACTING, plan=plan()))
    held = await records.replace_rollout(made, dataclasses.replace(made.record, state=LifecycleState.HELD))
    assert isinstance(held, StoredRollout)
    again = dataclasses.replace(held.record, state=LifecycleState.PLANNED, plan=plan("plan-2"))
    assert isinstance(await records.replace_rollout(held, again), StoredRollout)


async def test_an_order_after_a_plan_was_given_up_may_bring_a_new_one_while_planned(
    records: KubernetesRecords, namespace: str
) -> None:
    failed = plan(steps=(dataclasses.replace(plan().steps[0], state=StepState.FAILED),))
    made = await stored(records, rollout(namespace, state=LifecycleState.PLANNED, plan=failed))
    again = dataclasses.replace(made.record, state=LifecycleState.ACTING, plan=plan("plan-2"))
    assert isinstance(await records.replace_rollout(made, again), StoredRollout)


async def test_a_plan_that_expired_half_way_gives_way_to_one_that_goes_on_with_it(
    records: KubernetesRecords, namespace: str
) -> None:
    made = await stored(records, rollout(namespace, state=LifecycleState.ACTING, plan=plan()))
    following = dataclasses.replace(made.record, plan=plan("plan-2", continues=1))
    second = await records.replace_rollout(made, following)
    assert isinstance(second, StoredRollout)
    assert second.record == following
    other = dataclasses.replace(following, plan=plan("plan-3", continues=1))
    await refused(records, second, other, "cannot be replaced")
    third = dataclasses.replace(following, plan=plan("plan-3", continues=2))
    assert isinstance(await records.replace_rollout(second, third), StoredRollout)


async def test_status_cannot_be_removed_whole(records: KubernetesRecords, admin: LabApi, namespace: str) -> None:
    made = await stored(records, rollout(namespace))
    path = f"{OWN}/{namespace}/guardedrollouts/{made.record.id}/status"
    for patch in ([{"op": "remove", "path": "/status"}], [{"op": "remove", "path": "/status/epoch"}]):
        with pytest.raises(ApiError) as refusal:
            await admin.patch(path, patch, JSON_PATCH)
        assert refusal.value.status == 422
    assert await records.read_rollout(made.record.unit, made.record.id) == made


async def test_requests_wake_for_peoples_writes_and_not_for_our_own(api: Api, admin: LabApi, namespace: str) -> None:
    name = unit(namespace, "translation")
    record = UnitRecord(name=name, workload=WorkloadName(namespace, WorkloadKind.DEPLOYMENT, "translation"))
    async with KubernetesRecords(api, CLOCK, random.Random(1), namespaces=(namespace,)) as records:
        woken = records.requests()
        made = await records.create_unit(record)
        assert not isinstance(made, Exists | Unknown)
        assert made.record == record
        async with asyncio.timeout(60):
            assert await anext(woken) == name
        ours = await records.replace_unit(made, dataclasses.replace(record, mode=Mode.AUTOMATIC))
        assert not isinstance(ours, Stale | Absent | Unknown)
        await drain(woken)
        await admin.patch(f"{OWN}/{namespace}/guardedunits/{name.object_name}", asked("lab-admin"), MERGE)
        async with asyncio.timeout(60):
            assert await anext(woken) == name
        read = await records.read_unit(name)
        assert not isinstance(read, Absent | Unknown)
        assert [request.actor for request in read.record.requests] == ["lab-admin"]
        assert read.record.mode is Mode.AUTOMATIC


# --- who asked ---


def asked(actor: str, *, force: bool = False, id_: str = "r1") -> dict[str, Any]:
    request = {"id": id_, "kind": "rollback", "actor": actor, "at": NOW.iso(), "reason": "x", "force": force}
    return {"spec": {"requests": [request]}}


@pytest_asyncio.fixture(loop_scope="session")
async def alice(
    control_plane: ControlPlane, api: Api, admin: LabApi, namespace: str, records: KubernetesRecords
) -> AsyncIterator[LabApi]:
    """Alice, who may write GuardedUnits in the namespace but not force; the unit is there."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rules = [{"apiGroups": ["rollguard.dev"], "resources": ["guardedunits"], "verbs": ["get", "patch", "create"]}]
    await admin.create(f"{rbac}/roles", {"metadata": {"name": "people"}, "rules": rules})
    subjects = [{"kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"}]
    role = {"kind": "Role", "name": "people", "apiGroup": "rbac.authorization.k8s.io"}
    await admin.create(f"{rbac}/rolebindings", {"metadata": {"name": "people"}, "subjects": subjects, "roleRef": role})
    workload = WorkloadName(namespace, WorkloadKind.DEPLOYMENT, "translation")
    await records.create_unit(UnitRecord(name=unit(namespace, "translation"), workload=workload))
    async with LabApi.from_file(control_plane.kubeconfig_for("alice")) as client:
        yield client


async def test_a_spoofed_actor_is_refused_by_the_server(alice: LabApi, admin: LabApi, namespace: str) -> None:
    path = f"{OWN}/{namespace}/guardedunits/deployment-translation"
    freeze = {"spec": {"freeze": {"until": NOW.iso(), "actor": "bob", "reason": "x"}}}
    for spoofed in (asked("bob"), freeze):
        with pytest.raises(ApiError) as refusal:
            await alice.patch(path, spoofed, MERGE)
        assert refusal.value.status == 403
        assert "must be who writes it: alice" in refusal.value.message
    await alice.patch(path, asked("alice"), MERGE)
    with pytest.raises(ApiError):
        await alice.patch(path, [{"op": "replace", "path": "/spec/requests/0/actor", "value": "bob"}], JSON_PATCH)
    await admin.patch(
        path,
        [{"op": "add", "path": "/spec/requests/-", "value": asked("lab-admin", id_="r2")["spec"]["requests"][0]}],
        JSON_PATCH,
    )
    kept = await admin.get(path)
    assert [request["actor"] for request in kept["spec"]["requests"]] == ["alice", "lab-admin"]


async def test_a_freeze_until_a_time_without_a_zone_is_refused(alice: LabApi, namespace: str) -> None:
    path = f"{OWN}/{namespace}/guardedunits/deployment-translation"
    freeze = {"spec": {"freeze": {"until": "2026-11-03T02:15:04", "actor": "alice", "reason": "x"}}}
    with pytest.raises(ApiError) as refusal:
        await alice.patch(path, freeze, MERGE)
    assert refusal.value.status == 422
    assert "spec.freeze.until" in refusal.value.message


async def test_force_is_a_right_of_its_own(alice: LabApi, admin: LabApi, namespace: str) -> None:
    path = f"{OWN}/{namespace}/guardedunits/deployment-translation"
    with pytest.raises(ApiError) as refusal:
        await alice.patch(path, asked("alice", force=True), MERGE)
    assert refusal.value.status == 403
    assert "guardedunits/force" in refusal.value.message
    rules = [
        {
            "op": "add",
            "path": "/rules/-",
            "value": {
                "apiGroups": ["rollguard.dev"],
                "resources": ["guardedunits/force"],
                "verbs": ["update"],
            },
        }
    ]
    await admin.patch(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/people", rules, JSON_PATCH)

    async def allowed() -> bool:
        try:
            await alice.patch(path, asked("alice", force=True), MERGE)
        except ApiError:
            return False
        return True

    await until(allowed, what="the right to force")


# --- leadership ---


def candidate(api: Api, namespace: str, who: str, duration: float = 2.0) -> KubernetesLeadership:
    return KubernetesLeadership(api, CLOCK, namespace=namespace, identity=who, duration=duration)


async def test_a_follower_takes_over_only_after_the_lease_stood_still_for_its_duration(
    api: Api, namespace: str
) -> None:
    first, second = candidate(api, namespace, "a"), candidate(api, namespace, "b")
    start = CLOCK.mono()
    held = await first.renew(open_epochs=())
    assert isinstance(held, Held)
    assert held.epoch == 1
    assert held.until.since(start) <= 2.0 * 2 / 3 + 0.5
    assert isinstance(await second.renew(open_epochs=()), NotHeld)
    began = CLOCK.mono()

    async def taken() -> bool:
        return isinstance(await second.renew(open_epochs=(7,)), Held)

    await until(taken, what="the takeover")
    waited = CLOCK.mono().since(began)
    assert waited >= 1.9
    now_held = await second.renew(open_epochs=())
    assert isinstance(now_held, Held)
    assert now_held.epoch == 8
    assert now_held.until > held.until
    lost = await first.renew(open_epochs=())
    assert isinstance(lost, NotHeld)
    assert lost.holder == "b"


async def test_a_renewed_lease_is_never_taken_and_a_released_one_at_once(api: Api, namespace: str) -> None:
    first, second = candidate(api, namespace, "a", 1.0), candidate(api, namespace, "b", 1.0)
    assert isinstance(await first.renew(open_epochs=()), Held)
    for _ in range(8):
        assert isinstance(await first.renew(open_epochs=()), Held)
        assert isinstance(await second.renew(open_epochs=()), NotHeld)
        await asyncio.sleep(0.25)  # longer in all than the Lease lasts
    await first.release()
    taken = await second.renew(open_epochs=())
    assert isinstance(taken, Held)
    assert taken.epoch == 2


async def test_a_deleted_lease_does_not_set_the_epoch_back(api: Api, admin: LabApi, namespace: str) -> None:
    leader = candidate(api, namespace, "a")
    assert isinstance(await leader.renew(open_epochs=(5,)), Held)
    await admin.delete(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/rollguard")
    again = await leader.renew(open_epochs=(6,))
    assert isinstance(again, Held)
    assert again.epoch == 7


# --- the API server goes away: last, for it is everybody's ---


async def test_the_copy_survives_a_restart_of_the_api_server(
    control_plane: ControlPlane, api: Api, admin: LabApi, namespace: str
) -> None:
    await make(admin, namespace, "translation")
    await make(admin, namespace, "lip-sync")
    async with guarding(api, namespace, "translation") as cluster:
        subject = unit(namespace, "translation")
        await control_plane.kill_apiserver()

        async def says_incomplete() -> bool:
            return not cluster.facts(subject).complete

        await until(says_incomplete, what="incomplete facts")
        down: UnitFacts = cluster.facts(subject)
        assert down.missing
        assert isinstance(await cluster.fetch(Ref("Deployment", namespace, "translation"), timeout=1.0), Unknown)
        await control_plane.start_apiserver()
        await admin.delete(deployment_path(namespace, "lip-sync"))
        await release(admin, namespace, "translation", "v2")

        async def caught_up() -> bool:
            seen = cluster.facts(subject)
            items = cluster.inventory() or ()
            names = {item.name.name for item in items if item.name.namespace == namespace}
            target = seen.members[0].target() if seen.members else None
            return (
                seen.complete
                and names == {"translation"}
                and target is not None
                and target.template.images[0][1].endswith(":v2")
            )

        await until(caught_up, what="facts after the restart", timeout_s=60)

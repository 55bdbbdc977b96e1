"""What an answer, or none, means."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from typing import Any

import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import KubernetesCluster, KubernetesRecords
from rollguard.adapters.kubernetes.acting.writes import failed_test
from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.model.action import Applied, Conflict, Rejected, Throttled, Unknown, Write, WriteOutcome
from rollguard.model.names import Ref, RolloutId, UnitName
from tests.unit.kubernetes.server import Conversation, serving
from tests.unit.policy.texts import GOOD, added, good
from tests.unit.sets import with_set

CLOCK = SystemClock()
REF = Ref("Deployment", "n", "x")
PATCH = json.dumps([{"op": "test", "path": "/metadata/uid", "value": "u"}, {"op": "add", "path": "/spec", "value": {}}])


def connect(url: str) -> Api:
    return Api(Connection(server=url, tls=ssl.create_default_context(), namespace="n"), CLOCK)


async def applied(
    status: int, body: Any, *, fresh: Any = None, timeout: float = 2.0, dry_run: bool = False, **headers: str
) -> WriteOutcome:
    """The outcome of one write that the server answers so; `fresh` is what a read shows afterwards."""

    async def script(on: Conversation) -> None:
        if on.asked.method == "GET":
            await on.answer(fresh)
        elif status == 0:
            on.reset()
        elif status < 0:
            await asyncio.sleep(30)
        else:
            await on.answer(body, status=status, **headers)

    async with serving(script) as server:
        api = connect(server.url)
        cluster = KubernetesCluster(api, CLOCK, random.Random(1))
        outcome = await cluster.apply(Write(ref=REF, patch=PATCH), dry_run=dry_run, timeout=timeout)
        await api.close()
        patches = [asked for asked in server.asked if asked.method == "PATCH"]
        assert len(patches) == 1, "a write is sent once, whatever the answer"
        assert patches[0].query == {"fieldManager": "rollguard", **({"dryRun": "All"} if dry_run else {})}
    return outcome


async def test_applied_is_said_only_with_the_servers_answer_in_hand() -> None:
    outcome = await applied(200, {"metadata": {"name": "x", "generation": 4}})
    assert isinstance(outcome, Applied)
    assert outcome.generation == 4


@pytest.mark.parametrize("status", [0, -1, 500, 502, 503, 504])
async def test_reset_timeout_and_5xx_are_unknown(status: int) -> None:
    assert isinstance(await applied(status, {"message": "etcd"}, timeout=0.3), Unknown)


async def test_429_says_when_to_come_again() -> None:
    assert await applied(429, {}, Retry_After="7") == Throttled(after=7.0)


async def test_409_is_a_conflict_and_403_a_rejection_in_the_servers_words() -> None:
    assert isinstance(await applied(409, {"message": "modified"}), Conflict)
    outcome = await applied(403, {"message": "admission webhook denied it"})
    assert outcome == Rejected(status=403, detail="403 admission webhook denied it")


NO_RIGHT = 'deployments.apps "x" is forbidden: User "system:serviceaccount:m:rollguard" cannot patch resource'


@pytest.mark.parametrize(("status", "message"), [(401, "Unauthorized"), (403, NO_RIGHT)])
async def test_what_a_server_that_has_just_started_says_of_users_and_rights_may_pass(status: int, message: str) -> None:
    assert await applied(status, {"message": message}) == Rejected(
        status=status, detail=f"{status} {message}", passing=True
    )


@pytest.mark.parametrize("status", [408, 425, 499])
async def test_what_gave_up_before_the_server_answered_says_nothing_of_the_write(status: int) -> None:
    assert isinstance(await applied(status, {"message": "timeout"}), Unknown)


async def test_a_right_that_is_missing_in_the_dry_run_is_missing() -> None:
    outcome = await applied(403, {"message": NO_RIGHT}, dry_run=True)
    assert isinstance(outcome, Rejected)
    assert not outcome.passing


async def test_422_is_classified_by_a_fresh_read() -> None:
    changed, same = {"metadata": {"uid": "other"}}, {"metadata": {"uid": "u"}}
    assert isinstance(await applied(422, {"message": "x"}, fresh=changed), Conflict)
    assert isinstance(await applied(422, {"message": "x"}, fresh=same), Rejected)


@pytest.mark.parametrize(
    ("operations", "failed"),
    [
        ([{"op": "test", "path": "/a/b~1c", "value": 1}], ""),
        ([{"op": "test", "path": "/a/b~1c", "value": 2}], "/a/b~1c"),
        ([{"op": "test", "path": "/missing", "value": None}], ""),
        ([{"op": "test", "path": "/missing", "value": 1}], "/missing"),
        ([{"op": "replace", "path": "/missing", "value": 1}], "/missing"),
        ([{"op": "test", "path": "/list/1", "value": "y"}], ""),
        # What the patch made itself is no guard; what comes after it is.
        ([{"op": "add", "path": "/new", "value": {}}, {"op": "test", "path": "/new/x", "value": 1}], ""),
        ([{"op": "add", "path": "/new", "value": {}}, {"op": "test", "path": "/list/0", "value": "z"}], "/list/0"),
    ],
)
def test_a_failed_guard_is_found_in_a_fresh_read(operations: list[Any], failed: str) -> None:
    body = json.dumps({"a": {"b/c": 1}, "list": ["x", "y"]}).encode()
    assert failed_test(json.dumps(operations), body) == failed


async def test_a_list_of_records_is_unknown_unless_every_page_came() -> None:
    async def script(on: Conversation) -> None:
        if "continue" in on.asked.query:
            await on.answer({"message": "etcd"}, status=500)
        else:
            await on.answer(
                {"metadata": {"continue": "more"}, "items": [{"metadata": {"namespace": "n", "name": "a"}}]}
            )

    async with serving(script) as server:
        api = connect(server.url)
        assert isinstance(await KubernetesRecords(api, CLOCK, random.Random(1)).list_units(), Unknown)
        await api.close()


def unit_as_written(name: str, asked_at: str) -> dict[str, Any]:
    asked = {"id": "r", "kind": "rollback", "actor": "ana", "at": asked_at, "reason": "now"}
    return {"metadata": {"namespace": "n", "name": name, "resourceVersion": "1"}, "spec": {"requests": [asked]}}


async def test_closed_rollouts_are_passed_over_without_being_read_whole() -> None:
    closed = {
        "metadata": {"namespace": "n", "name": "a-r1"},
        "status": {"closed": "2026-12-01T00:00:00Z", "epoch": "x"},
    }

    async def script(on: Conversation) -> None:
        await on.answer({"metadata": {}, "items": [closed]})

    said: list[str] = []
    async with serving(script) as server:
        api = connect(server.url)
        records = KubernetesRecords(api, CLOCK, random.Random(1), on_unreadable=said.append)
        records.cover(frozenset({""}))
        assert await records.list_rollouts(open_only=True) == ()
        assert said == []
        assert await records.list_rollouts(open_only=False) == ()
        assert len(said) == 1, "read whole, it is found to be unreadable"
        records.cover(frozenset())
        await api.close()


async def test_one_object_that_cannot_be_read_hides_no_other_and_is_said() -> None:
    sound = unit_as_written("deployment-a", "2026-12-01T00:00:00Z")
    odd = unit_as_written("deployment-b", "2026-12-01T00:00:00+24:00")
    rollout = {"metadata": {"namespace": "n", "name": "b-r2"}, "status": {"epoch": "three"}}

    async def script(on: Conversation) -> None:
        if on.asked.path.endswith("/deployment-b"):
            await on.answer(odd)
        elif on.asked.path.endswith("/b-r2"):
            await on.answer(rollout)
        elif "guardedunits" in on.asked.path:
            await on.answer({"metadata": {}, "items": [odd, sound]})
        else:
            await on.answer({"metadata": {}, "items": [rollout]})

    said: list[str] = []
    async with serving(script) as server:
        api = connect(server.url)
        records = KubernetesRecords(api, CLOCK, random.Random(1), on_unreadable=said.append)
        units = await records.list_units()
        rollouts = await records.list_rollouts(open_only=True)
        unit = await records.read_unit(UnitName("n", "deployment-b"))
        one = await records.read_rollout(UnitName("n", "deployment-b"), RolloutId("b-r2"))
        await api.close()
    assert not isinstance(units, Unknown)
    assert [stored.record.name.object_name for stored in units] == ["deployment-a"]
    assert rollouts == ()
    assert [text.split(":")[0] for text in said] == ["GuardedUnit n/deployment-b", "GuardedRollout n/b-r2"]
    assert "requests[0].at: expected a time" in said[0]
    assert isinstance(unit, Unknown)
    assert "requests[0].at: expected a time" in unit.detail
    assert isinstance(one, Unknown)


def test_a_name_never_leads_to_another_path() -> None:
    path = rights.GET_DEPLOYMENT.path("a/../b", "x?dryRun=All")
    assert path == "/apis/apps/v1/namespaces/a%2F..%2Fb/deployments/x%3FdryRun%3DAll"
    assert rights.READ_LOGS.path("n", "p") == "/api/v1/namespaces/n/pods/p/log"


def test_every_right_of_the_controller_is_declared_once_with_its_reason() -> None:
    table = [(right.group, right.resource, right.verb) for right in rights.CONTROLLER]
    assert len(table) == len(set(table))
    assert all(right.why for right in rights.CONTROLLER)
    assert ("apps", "deployments", "patch") in table
    assert not [right for right in rights.CONTROLLER if right.resource == "secrets"]


def test_a_right_is_needed_only_where_its_scope_says() -> None:
    def needed_in(right: rights.Right) -> list[str]:
        names = ("shop", "monitoring", "other")
        return [name for name in names if right.scope.covers(name, watched=("shop",), guard="monitoring")]

    assert needed_in(rights.PATCH_DEPLOYMENT) == ["shop"]
    assert needed_in(rights.UPDATE_LEASE) == ["monitoring"]
    assert needed_in(rights.UPDATE_UNIT) == ["shop", "monitoring"]
    assert rights.PATCH_DEPLOYMENT.permission.scope is rights.PATCH_DEPLOYMENT.scope


def test_secrets_are_asked_for_only_where_the_policy_says_so() -> None:
    plain = {(right.resource, right.verb) for right in rights.needed(good(GOOD))}
    more = {(right.resource, right.verb) for right in rights.needed(good(added("secrets: metadata")))}
    assert more - plain == {("secrets", "list"), ("secrets", "watch")}


def test_services_and_autoscalers_are_asked_for_only_where_the_policy_has_release_sets() -> None:
    plain, coloured = good(GOOD), with_set(good(GOOD))
    more = {(right.resource, right.verb) for right in rights.needed(coloured)} - {
        (right.resource, right.verb) for right in rights.needed(plain)
    }
    assert {resource for resource, _ in more} == {"services", "endpointslices", "horizontalpodautoscalers"}
    assert {resource for resource, verb in more if verb == "patch"} == {"services", "horizontalpodautoscalers"}
    assert not [verb for resource, verb in more if verb in ("create", "update", "delete")]

"""What an uninstallation finds, refuses, lets go and leaves."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.kubernetes.installing.farewell import leave_namespace, let_go, stays
from rollguard.adapters.kubernetes.installing.install import InstallError
from rollguard.adapters.kubernetes.installing.kinds import Thing
from rollguard.adapters.kubernetes.installing.removal import Found, Lister, find
from tests.unit.kubernetes.server import Asked, Conversation, serving

CLOCK = SystemClock()
OURS = {"app.kubernetes.io/managed-by": "rollguard"}
Answers = dict[str, Any]


@asynccontextmanager
async def cluster(answers: Answers, *namespaces: str) -> AsyncIterator[tuple[Lister, list[Asked]]]:
    """A server that gives these answers by path (a status where it is a number; a pair is ours and everybody's);
    everything else is not there."""

    async def script(on: Conversation) -> None:
        answer = answers.get(on.asked.path, 404)
        if isinstance(answer, tuple):
            ours, everybodys = answer
            answer = ours if "instance=monitoring" in on.asked.query.get("labelSelector", "") else everybodys
        if isinstance(answer, int):
            await on.answer({"message": f"status {answer}"}, status=answer)
        else:
            await on.answer({"items": answer} if isinstance(answer, list) else answer)

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="x"), CLOCK)
        yield Lister(api=api, namespaces=namespaces), server.asked
        await api.close()


def item(name: str, namespace: str = "", **fields: Any) -> dict[str, Any]:
    """An object."""
    annotations = fields.pop("annotations", {})
    return {"metadata": {"name": name, "namespace": namespace, "annotations": annotations}, **fields}


def guarding(namespace: str) -> Answers:
    """A guard whose Role is in that namespace."""
    return {"/apis/rbac.authorization.k8s.io/v1/roles": [item("rollguard", namespace)]}


async def found(answers: Answers, *namespaces: str, keep_records: bool = False) -> Found:
    async with cluster(answers, *namespaces) as (lister, _):
        return await find(lister, namespace="monitoring", keep_records=keep_records)


ROLLOUTS = "/apis/rollguard.dev/v1alpha1/guardedrollouts"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/guardedunits.rollguard.dev"


@pytest.mark.parametrize(("state", "live"), [("acting", ["shop/a"]), ("verifying", ["shop/a"]), ("closed", [])])
async def test_a_rollback_under_way_is_named(state: str, live: list[str]) -> None:
    rollouts = [item("a", "shop", status={"state": state}), item("b", "elsewhere", status={"state": "acting"})]
    assert (await found({**guarding("shop"), ROLLOUTS: rollouts})).live == live


async def test_rules_and_scrapes_of_the_guard_go_too_and_are_kept_where_one_may_not_look() -> None:
    rules = "/apis/monitoring.coreos.com/v1/prometheusrules"
    rule = Thing("PrometheusRule", "monitoring", "rollguard")
    assert rule in (await found({**guarding("shop"), rules: [item("rollguard", "monitoring")]})).installed
    mine = rules.replace("/prometheusrules", "/namespaces/monitoring/prometheusrules")
    forbidden = await found({**guarding("shop"), rules: 403, mine: 403}, "monitoring")
    assert rule not in forbidden.installed
    assert forbidden.kept[0].startswith("PrometheusRule: 403")


async def test_the_definitions_go_last_and_stay_where_records_are_kept() -> None:
    answers = {**guarding("shop"), DEFINITION: item("guardedunits.rollguard.dev")}
    definition = Thing("CustomResourceDefinition", "", "guardedunits.rollguard.dev")
    assert (await found(answers)).things()[-1] == definition
    kept = await found(answers, keep_records=True)
    assert definition not in kept.things()
    assert "GuardedRollouts and evidence" in kept.kept[0]


async def test_what_another_guard_needs_too_stays_and_our_own_records_go() -> None:
    both = [item("monitoring", "monitoring"), item("monitoring", "other")]
    answers = {
        **guarding("shop"),
        DEFINITION: item("guardedunits.rollguard.dev"),
        ROLLOUTS: [item("mine", "shop"), item("theirs", "elsewhere")],
        "/apis/apps/v1/deployments": (both[:1], both),
    }
    result = await found(answers)
    assert result.guard == [Thing("Deployment", "monitoring", "monitoring")]
    assert result.definitions == []
    assert "guards run in other too" in result.kept[0]
    assert result.records == [Thing("GuardedRollout", "shop", "mine")]


async def test_records_of_a_namespace_that_another_guard_watches_too_stay() -> None:
    own = [item("rollguard:monitoring", "shop"), item("rollguard:monitoring", "alone")]
    answers = {
        "/apis/rbac.authorization.k8s.io/v1/roles": (own, [*own, item("rollguard:other", "shop")]),
        DEFINITION: item("guardedunits.rollguard.dev"),
        ROLLOUTS: [item("whose", "shop"), item("mine", "alone")],
    }
    result = await found(answers)
    assert result.records == [Thing("GuardedRollout", "alone", "mine")]
    assert result.definitions == []
    assert "another guard has rights in shop" in result.kept[0]
    assert "evidence in shop" in result.kept[1]
    assert Thing("Role", "shop", "rollguard:monitoring") in result.installed


async def test_the_definitions_stay_where_other_guards_cannot_be_seen() -> None:
    answers = {
        "/apis/apps/v1/deployments": 403,
        "/apis/apps/v1/namespaces/shop/deployments": [],
        **guarding("shop"),
        DEFINITION: item("guardedunits.rollguard.dev"),
        ROLLOUTS: [item("mine", "shop")],
        "/apis/rbac.authorization.k8s.io/v1/clusterroles": ([], [item("rollguard-viewer")]),
    }
    result = await found(answers, "shop")
    assert result.definitions == []
    assert result.records == [Thing("GuardedRollout", "shop", "mine")]
    assert not any(each.kind == "ClusterRole" for each in result.installed)
    assert "cannot be seen from here" in result.kept[0]


async def test_who_may_not_look_everywhere_looks_where_the_policy_says() -> None:
    roles = "/apis/rbac.authorization.k8s.io/v1"
    everywhere = {f"/apis/{path}": 403 for path in ("apps/v1/deployments", "rbac.authorization.k8s.io/v1/roles")}
    answers = {**everywhere, f"{roles}/namespaces/team/roles": [item("rollguard", "team")]}
    assert Thing("Role", "team", "rollguard") in (await found(answers, "team")).installed
    with pytest.raises(InstallError, match=r"needed: the right to list roles.* in namespace team"):
        await found({**everywhere, f"{roles}/namespaces/team/roles": 403}, "team")


async def test_our_pauses_are_lifted_and_raised_minimums_put_back_where_we_guard_and_nowhere_else() -> None:
    paused = {"rollguard.dev/paused": "held"}
    answers = {
        "/apis/apps/v1/deployments": [
            item("api", "shop", annotations=paused),
            item("by-hand", "shop"),
            item("api", "elsewhere", annotations=paused),
        ],
        "/apis/autoscaling/v2/horizontalpodautoscalers": [
            item("api", "shop", annotations={"rollguard.dev/min-replicas": "3"}),
            item("odd", "shop", annotations={"rollguard.dev/min-replicas": "many"}),
        ],
        "/apis/apps/v1/namespaces/shop/deployments/api": {},
        "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/api": {},
    }
    said: list[str] = []
    async with cluster(answers) as (lister, asked):
        await let_go(lister, frozenset({"shop"}), say=said.append)
    patches = {each.path: json.loads(each.body) for each in asked if each.method == "PATCH"}
    assert patches == {
        "/apis/apps/v1/namespaces/shop/deployments/api": [
            {"op": "add", "path": "/spec/paused", "value": False},
            {"op": "remove", "path": "/metadata/annotations/rollguard.dev~1paused"},
        ],
        "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/api": [
            {"op": "add", "path": "/spec/minReplicas", "value": 3},
            {"op": "remove", "path": "/metadata/annotations/rollguard.dev~1min-replicas"},
        ],
    }
    assert len(said) == 2


@pytest.mark.parametrize(
    ("labels", "secrets", "deleted"),
    [(OURS, [], True), (OURS, [item("notification-secrets", "monitoring")], False), ({}, [], False)],
)
async def test_a_namespace_goes_only_if_we_made_it_and_nothing_else_lives_there(
    labels: dict[str, str], secrets: list[Any], deleted: bool
) -> None:
    space = "/api/v1/namespaces/monitoring"
    answers = {
        space: {"metadata": {"name": "monitoring", "labels": labels}},
        f"{space}/configmaps": [item("kube-root-ca.crt", "monitoring")],
        f"{space}/secrets": secrets,
    }
    async with cluster(answers) as (lister, asked):
        await leave_namespace(lister, "monitoring", say=lambda _: None)
    assert [each.path for each in asked if each.method == "DELETE"] == ([space] if deleted else [])


async def test_before_anything_is_deleted_what_is_going_and_its_pods_do_not_hold_the_namespace() -> None:
    space, mine = "/api/v1/namespaces/monitoring", item("rollguard-policy", "monitoring")
    answers = {
        space: {"metadata": {"name": "monitoring", "labels": OURS}},
        f"{space}/configmaps": [item("kube-root-ca.crt", "monitoring"), mine],
        f"{space}/pods": [item("rollguard-5d4f", "monitoring")],
    }
    going = (Thing("ConfigMap", "monitoring", "rollguard-policy"),)
    async with cluster(answers) as (lister, _asked):
        assert await stays(lister, "monitoring", going) == ""
        assert "ConfigMap rollguard-policy" in (await stays(lister, "monitoring") or "")
    async with cluster({**answers, space: {"metadata": {"name": "monitoring"}}}) as (lister, _asked):
        assert await stays(lister, "monitoring", going) is None


async def test_a_kept_policy_is_a_record_and_named_once() -> None:
    kept = item("kept-policy", "shop")

    async def script(on: Conversation) -> None:
        selector = on.asked.query.get("labelSelector", "")
        if on.asked.path == "/api/v1/configmaps" and "!rollguard.dev/policy" not in selector:
            await on.answer({"items": [kept] if "rollout" not in selector else []})
        elif on.asked.path == "/apis/rbac.authorization.k8s.io/v1/roles":
            await on.answer({"items": [item("rollguard", "shop")]})
        else:
            await on.answer({"items": []}, status=200 if "labelSelector" in on.asked.query else 404)

    thing = Thing("ConfigMap", "shop", "kept-policy")
    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="x"), CLOCK)
        lister = Lister(api=api, namespaces=())
        assert (await find(lister, namespace="monitoring", keep_records=False)).things().count(thing) == 1
        assert thing not in (await find(lister, namespace="monitoring", keep_records=True)).things()
        await api.close()

"""What a survey makes of the API server's answers: what is not answered is unknown, with the server's words."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.kubernetes.connection.rights import GET_LEASE, LIST_PODS, PATCH_DEPLOYMENT, PATCH_SERVICE
from rollguard.adapters.kubernetes.installing.enforcement import enforced
from rollguard.adapters.kubernetes.survey import Account, RightsAsked, read_config
from rollguard.adapters.kubernetes.survey.asking import Asking
from rollguard.adapters.kubernetes.survey.ground import ground
from rollguard.adapters.kubernetes.survey.guard import guard
from rollguard.adapters.kubernetes.survey.installed import difference, installed, version
from rollguard.adapters.kubernetes.survey.rights import rights_of
from rollguard.adapters.kubernetes.survey.workloads import namespace
from rollguard.doctor.facts import Autoscaler, Presence, Replicas, ServerVersion
from rollguard.model.action import Absent, Rejected, Unknown
from rollguard.model.documents import Json
from rollguard.model.facts import Autoscaler as Scaler
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.time import Instant
from rollguard.policy.ground import DeploymentSeen, Ground
from rollguard.record import manifests
from tests.unit.kubernetes.server import Asked, Conversation, serving

CLOCK = SystemClock()
TLS = ssl.create_default_context()
FORBIDDEN = 403, {"kind": "Status", "message": 'pods is forbidden: User "alice" cannot'}
NOT_FOUND = 404, {"kind": "Status", "message": "not found"}
ACCOUNT = Account(namespace="monitoring", name="rollguard")
Answer = tuple[int, Any]
Handler = Callable[[Asked], Answer]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[tuple[Api, list[Asked]]]:
    """A client of a server that answers every request by the handler."""

    async def script(conversation: Conversation) -> None:
        status, body = handler(conversation.asked)
        await conversation.answer(body, status)

    async with serving(script) as there:
        api = Api(Connection(server=there.url, tls=TLS, namespace="default"), CLOCK)
        try:
            yield api, there.asked
        finally:
            await api.close()


async def asked(handler: Handler, question: Callable[[Asking], Awaitable[Any]]) -> Any:
    async with server(handler) as (api, _):
        return await question(Asking(api))


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (
            {"major": "1", "minor": "30+", "gitVersion": "v1.30.2-eks"},
            ServerVersion(major=1, minor=30, text="v1.30.2-eks"),
        ),
        (
            {"major": "1", "minor": "", "gitVersion": "odd"},
            Unknown(detail="the server's version is not a number: 'odd'"),
        ),
    ],
)
async def test_the_version_is_read_as_numbers(said: dict[str, str], found: object) -> None:
    assert await asked(lambda _: (200, said), version) == found


# --- what is installed ---


def test_what_the_server_adds_by_itself_is_no_difference_and_what_is_another_value_is() -> None:
    ours: Json = {"a": 1, "list": [{"b": 2}]}
    assert difference(ours, {"a": 1, "list": [{"b": 2, "default": True}], "more": 3}, "spec") == ""
    assert difference(ours, {"a": 2, "list": [{"b": 2}]}, "spec") == "spec.a"
    assert difference(ours, {"a": 1, "list": [{"b": 2}, {"b": 3}]}, "spec") == "spec.list"
    assert difference(ours, {"a": 1}, "spec") == "spec.list"
    assert difference(ours, None, "spec") == "spec"


def test_a_property_of_another_version_is_a_difference_in_a_schema() -> None:
    ours: Json = {"properties": {"status": {"type": "object"}}}
    theirs: Json = {"properties": {"status": {"type": "object"}, "novelty": {"type": "string"}}}
    assert difference(ours, theirs, "schema") == "schema.properties.novelty"


def stored(established: str = "True") -> dict[str, Any]:
    """Our manifests as the server would give them back, by name and kind."""
    status = {"conditions": [{"type": "Established", "status": established, "message": "names are taken"}]}
    ours: tuple[dict[str, Any], ...] = tuple(dict(each) for each in manifests())
    return {f"{each['kind']}/{each['metadata']['name']}".lower(): {**each, "status": status} for each in ours}


def by_path(there: dict[str, Any]) -> Handler:
    kinds = {
        "customresourcedefinitions": "customresourcedefinition",
        "validatingadmissionpolicies": "validatingadmissionpolicy",
        "validatingadmissionpolicybindings": "validatingadmissionpolicybinding",
    }

    def handler(asked: Asked) -> Answer:
        *_, resource, name = asked.path.split("/")
        found = there.get(f"{kinds[resource]}/{name}")
        return (200, found) if found is not None else NOT_FOUND

    return handler


async def test_an_installation_of_this_version_is_the_same() -> None:
    found = await asked(by_path(stored()), installed)
    assert len(found) == len(manifests())
    assert {each.presence for each in found} == {Presence.SAME}


async def test_what_is_missing_or_not_served_is_told() -> None:
    there = stored(established="False")
    del there["validatingadmissionpolicybinding/rollguard-actor"]
    found = {f"{each.kind} {each.name}": each for each in await asked(by_path(there), installed)}
    crd = found["CustomResourceDefinition guardedunits.rollguard.dev"]
    assert (crd.presence, crd.detail) == (Presence.NOT_SERVED, "names are taken")
    assert found["ValidatingAdmissionPolicyBinding rollguard-actor"].presence is Presence.ABSENT


async def test_what_may_not_be_read_is_unknown_with_the_servers_words() -> None:
    found = await asked(lambda _: FORBIDDEN, installed)
    assert {each.presence for each in found} == {Unknown(detail=f"403 {FORBIDDEN[1]['message']}")}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((201, {}), False),
        ((403, {"message": "the actor of a new request must be who writes it: me"}), True),
        ((403, {"message": "guardedunits is forbidden"}), Rejected(status=403, detail="403 guardedunits is forbidden")),
        ((404, {"message": "no such kind"}), Unknown(detail="404 no such kind")),
    ],
)
async def test_an_order_under_anothers_name_shows_whether_the_policy_is_enforced(
    answer: Answer, outcome: object
) -> None:
    async with server(lambda _: answer) as (api, requests):
        assert await enforced(api, CLOCK, "monitoring") == outcome
        assert requests[0].query == {"dryRun": "All"}


# --- rights ---


def asked_for() -> RightsAsked:
    return RightsAsked(rights=(PATCH_DEPLOYMENT, GET_LEASE), watched=("production", "dev"), guard="monitoring", sets=())


def reviews(allow: Callable[[dict[str, Any]], bool], *, others: bool = True) -> Handler:
    """A server that answers access reviews."""

    def handler(asked: Asked) -> Answer:
        if asked.path.endswith("/serviceaccounts/rollguard"):
            return 200, {}
        if not others and asked.path.endswith("/subjectaccessreviews"):
            return FORBIDDEN
        spec = json.loads(asked.body)["spec"]
        return 201, {"status": {"allowed": allow(spec["resourceAttributes"])}}

    return handler


async def test_what_is_allowed_everywhere_is_asked_once_and_else_in_each_namespace_where_it_is_needed() -> None:
    def allow(attributes: dict[str, Any]) -> bool:
        return bool(attributes["resource"] == "leases") or attributes["namespace"] == "production"

    found = await asked(reviews(allow), lambda asking: rights_of(asking, ACCOUNT, asked_for(), me="alice"))
    assert found.who == "ServiceAccount monitoring/rollguard"
    assert [(a.permission.resource, a.namespace, a.allowed) for a in found.answers] == [
        ("deployments", "dev", False),
        ("deployments", "production", True),
        ("leases", "", True),
    ]


def test_what_only_release_sets_need_is_asked_only_where_one_is() -> None:
    every = replace(asked_for(), sets=("dev",))
    assert every.places(PATCH_SERVICE.permission) == ("dev",)
    assert every.places(PATCH_DEPLOYMENT.permission) == ("dev", "production")


async def test_the_server_is_asked_for_the_account_with_its_groups() -> None:
    async with server(reviews(lambda _: True)) as (api, requests):
        await rights_of(Asking(api), ACCOUNT, asked_for(), me="alice")
    spec = json.loads(requests[-1].body)["spec"]
    assert spec["user"] == "system:serviceaccount:monitoring:rollguard"
    assert "system:serviceaccounts:monitoring" in spec["groups"]


async def test_who_may_not_ask_for_another_is_told_the_own_rights() -> None:
    handler = reviews(lambda _: True, others=False)
    found = await asked(handler, lambda asking: rights_of(asking, ACCOUNT, asked_for(), me="alice"))
    assert found.who.startswith("alice (not the guard's account")
    assert {answer.allowed for answer in found.answers} == {True}


async def test_an_account_that_is_not_there_has_no_rights_to_ask_for() -> None:
    found = await asked(lambda _: NOT_FOUND, lambda asking: rights_of(asking, ACCOUNT, asked_for(), me="alice"))
    assert (found.account, found.answers) == (False, ())


# --- workloads ---


def deployment(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "app", "readinessProbe": {"httpGet": {}}}, {"name": "bare"}]
    return {
        "metadata": {"name": "translation", "namespace": "production", "uid": "u1"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}, **spec},
    }


def scaler(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    wrong = {"type": "ScalingActive", "status": "False", "message": "no metrics"}
    return {
        "metadata": {"name": "scaler", "namespace": "production", "uid": "u3"},
        "spec": {"scaleTargetRef": {"kind": kind, "name": "translation"}, **spec},
        "status": {"conditions": [wrong, {"type": "ScalingLimited", "status": "False"}]},
    }


def production(lists: dict[str, list[Any]], *, without: str = "") -> Handler:
    def handler(asked: Asked) -> Answer:
        resource = asked.path.rsplit("/", 1)[-1]
        if resource == without:
            return FORBIDDEN
        if resource == "production":
            return 200, {}
        return 200, {"metadata": {}, "items": lists.get(resource, [])}

    return handler


async def look(handler: Handler) -> Any:
    return await asked(handler, lambda asking: namespace(asking, "production", Instant(0.0)))


async def test_a_namespace_is_told_with_its_workloads_and_their_autoscalers() -> None:
    lists = {"deployments": [deployment(revisionHistoryLimit=0)], "horizontalpodautoscalers": [scaler(minReplicas=0)]}
    found = await look(production(lists))
    (seen,) = found.workloads
    assert (seen.history_limit, seen.unprobed, seen.workload.desired) == (0, ("bare",), 2)
    name = WorkloadName("production", WorkloadKind.DEPLOYMENT, "translation")
    assert found.autoscalers == (Autoscaler(name="scaler", target=name, minimum=0, inactive="no metrics"),)
    assert [unit.members[0].name for unit in found.units] == [name]


async def test_what_is_not_said_is_the_servers_default() -> None:
    lists = {"deployments": [deployment()], "horizontalpodautoscalers": [scaler(), scaler("StatefulSet")]}
    found = await look(production(lists))
    assert found.workloads[0].history_limit == 10
    assert [each.minimum for each in found.autoscalers] == [1]


@pytest.mark.parametrize("resource", ["pods", "replicasets", "deployments"])
async def test_without_a_part_of_them_the_pods_of_a_namespace_are_unknown(resource: str) -> None:
    found = await look(production({"deployments": [deployment()]}, without=resource))
    assert isinstance(found.units, Unknown)
    assert isinstance(found.workloads, Unknown) is (resource == "deployments")


COLOUR: dict[str, Any] = {
    "metadata": {"name": "backend-blue", "namespace": "production", "uid": "u2"},
    "spec": {"template": {"metadata": {"labels": {"version": "blue", "app": "backend"}}}},
    "status": {"replicas": 3},
}
SERVICE: dict[str, Any] = {"metadata": {"name": "backend-service"}, "spec": {"selector": {"version": "blue"}}}
NO_SELECTOR: dict[str, Any] = {"metadata": {"name": "outside"}, "spec": {}}


async def test_what_release_sets_stand_on_is_looked_at_where_there_are_some() -> None:
    lists: dict[str, list[Any]] = {
        "deployments": [COLOUR, deployment()],
        "services": [SERVICE, NO_SELECTOR],
        "horizontalpodautoscalers": [scaler(maxReplicas=7), scaler("StatefulSet", maxReplicas=1)],
    }
    found = await asked(production(lists), lambda asking: namespace(asking, "production", Instant(0.0), sets=True))
    assert found.ground == Ground(
        deployments=(
            DeploymentSeen(name="backend-blue", pod_labels=(("app", "backend"), ("version", "blue")), pods=3),
            DeploymentSeen(name="translation", pod_labels=(), pods=0),
        ),
        services=(("backend-service", (("version", "blue"),)), ("outside", ())),
        autoscalers=(
            Scaler(
                namespace="production",
                name="scaler",
                uid="u3",
                workload=WorkloadName("production", WorkloadKind.DEPLOYMENT, "translation"),
                minimum=1,
                maximum=7,
            ),
        ),
    )
    assert (await look(production(lists, without="services"))).ground is None


@pytest.mark.parametrize("resource", ["deployments", "services", "horizontalpodautoscalers"])
async def test_without_a_part_of_it_what_sets_stand_on_is_unknown(resource: str) -> None:
    handler = production({"deployments": [COLOUR]}, without=resource)
    found = await asked(handler, lambda asking: ground(asking, "production"))
    assert found == Unknown(detail=f"{resource} of production: 403 {FORBIDDEN[1]['message']}")


async def test_a_list_is_whole_or_unknown() -> None:
    def pages(asked: Asked) -> Answer:
        if "continue" not in asked.query:
            return 200, {"metadata": {"continue": "next"}, "items": [{"n": 1}]}
        return (200, {"metadata": {}, "items": [{"n": 2}]}) if "/whole/" in asked.path else (500, {"message": "lost"})

    whole = await asked(pages, lambda asking: asking.list(LIST_PODS, "whole"))
    assert [json.loads(bytes(each)) for each in whole] == [{"n": 1}, {"n": 2}]
    assert await asked(pages, lambda asking: asking.list(LIST_PODS, "half")) == Unknown(detail="500 lost")


# --- the guard, and its policy ---


async def test_the_guard_is_told_by_its_lease_and_its_deployment() -> None:
    def handler(asked: Asked) -> Answer:
        if "/leases/" in asked.path:
            return 200, {"spec": {"holderIdentity": "a_1", "renewTime": "2026-11-03T02:15:04.000000Z"}}
        return 200, {"metadata": {"name": "monitoring"}, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}}

    found = await asked(handler, lambda asking: guard(asking, "monitoring"))
    assert (found.lease.holder, found.lease.renewed) == ("a_1", Instant.parse("2026-11-03T02:15:04Z"))
    assert found.deployment == Replicas(name="monitoring", wanted=2, ready=1)


async def test_an_installed_policy_is_read_and_one_that_is_not_there_is_absent() -> None:
    async with server(lambda _: (200, {"data": {"policy.yaml": "text"}})) as (api, _):
        assert await read_config(api, "monitoring", "rollguard-policy", "policy.yaml") == "text"
        assert await read_config(api, "monitoring", "rollguard-policy", "other") == Absent()
    async with server(lambda _: NOT_FOUND) as (api, _):
        assert await read_config(api, "monitoring", "rollguard-policy", "policy.yaml") == Absent()


async def test_a_server_that_is_gone_is_unknown_everywhere() -> None:
    api = Api(Connection(server="http://127.0.0.1:9", tls=TLS, namespace="default"), CLOCK)
    try:
        asking = Asking(api)
        found = await rights_of(asking, ACCOUNT, asked_for(), me="alice")
        assert isinstance(found.account, Unknown)
        assert isinstance(await version(asking), Unknown)
        assert isinstance((await namespace(asking, "production", Instant(0.0))).workloads, Unknown)
    finally:
        await api.close()

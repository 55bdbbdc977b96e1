"""What the answers to a read or a write of a Service, or of an autoscaler, mean."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import KubernetesCluster
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.model.action import (
    Absent,
    Applied,
    AutoscalerOutcome,
    Conflict,
    FoundAutoscaler,
    FoundService,
    Rejected,
    ServiceOutcome,
    Unknown,
    Write,
    WriteOutcome,
)
from rollguard.model.names import Ref
from tests.unit.kubernetes.server import Asked, Conversation, serving

CLOCK = SystemClock()
SERVICE = Ref("Service", "n", "backend-service")
AUTOSCALER = Ref("HorizontalPodAutoscaler", "n", "backend-blue")
BLUE = {"app": "backend", "version": "blue"}
PATIENT, BRIEF = 10.0, 0.3
Json = dict[str, Any]
Answer = Callable[[Asked], Json | int]


def service(selector: Json | None = None, receipt: str = "") -> Json:
    meta = {"name": "backend-service", "namespace": "n", "uid": "s", "resourceVersion": "7"}
    annotated = {"annotations": {"rollguard.dev/step": receipt}} if receipt else {}
    return {"metadata": meta | annotated, "spec": {"selector": BLUE if selector is None else selector}}


def endpoint(pod: str, **conditions: bool) -> Json:
    return {"conditions": conditions, "targetRef": {"kind": "Pod", "name": pod}}


def slices(*pieces: list[Json]) -> Json:
    return {"metadata": {}, "items": [{"metadata": {"name": str(n)}, "endpoints": e} for n, e in enumerate(pieces)]}


def pods(*names: str) -> Json:
    return {"metadata": {}, "items": [{"metadata": {"name": name, "namespace": "n"}} for name in names]}


async def served(answer: Answer, ask: Callable[[KubernetesCluster], Any]) -> tuple[Any, list[Asked]]:
    """What the port says where the server answers so (an int is a status without more; 0 is silence), and what was
    asked."""

    async def script(on: Conversation) -> None:
        said = answer(on.asked)
        if said == 0:
            await asyncio.sleep(30)
        elif isinstance(said, int):
            await on.answer({"message": "scripted"}, status=said)
        else:
            await on.answer(said)

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        outcome = await ask(KubernetesCluster(api, CLOCK, random.Random(1)))
        await api.close()
    return outcome, server.asked


async def fetched(
    whole: Json | int, behind: Json | int, selected: Json | int, *, uid: str = ""
) -> tuple[ServiceOutcome, list[Asked]]:
    """A read of the Service, of which the server has these three answers."""

    def answer(asked: Asked) -> Json | int:
        if asked.path.endswith("/services/backend-service"):
            return whole
        return behind if asked.path.endswith("/endpointslices") else selected

    ref = Ref(SERVICE.kind, SERVICE.namespace, SERVICE.name, uid)
    patience = BRIEF if 0 in (whole, behind, selected) else PATIENT
    return await served(answer, lambda cluster: cluster.fetch_service(ref, timeout=patience))


async def test_a_service_is_read_with_its_slices_and_with_the_pods_of_its_selector() -> None:
    behind = slices(
        [endpoint("blue-1", ready=True), endpoint("blue-2", ready=False)], [endpoint("green-1", ready=True)]
    )
    outcome, asked = await fetched(service(receipt="p/3"), behind, pods("blue-1", "blue-2"))
    assert outcome == FoundService(
        uid="s",
        resource_version="7",
        selector=(("app", "backend"), ("version", "blue")),
        receipt="p/3",
        has_annotations=True,
        serving=1,
        strangers=1,
    )
    by_path = {each.path.rpartition("/")[2]: each for each in asked}
    assert by_path["endpointslices"].query["labelSelector"] == "kubernetes.io/service-name=backend-service"
    assert by_path["pods"].query["labelSelector"] == "app=backend,version=blue"
    assert "PartialObjectMetadataList" in by_path["pods"].headers["accept"], "of pods no more than their names"
    assert all("resourceVersion" not in each.query for each in asked), "a quorum read"


async def test_an_endpoint_that_does_not_say_whether_it_is_ready_is_and_a_pod_with_two_addresses_counts_once() -> None:
    outcome, _ = await fetched(
        service(), slices([endpoint("blue-1")], [endpoint("blue-1", ready=False)]), pods("blue-1")
    )
    assert isinstance(outcome, FoundService)
    assert (outcome.serving, outcome.strangers) == (1, 0)


async def test_a_service_without_a_selector_selects_no_pods_and_none_are_listed() -> None:
    outcome, asked = await fetched(service({}), slices([endpoint("blue-1", ready=True)]), pods("blue-1"))
    assert isinstance(outcome, FoundService)
    assert (outcome.serving, outcome.strangers) == (0, 1)
    assert not [each for each in asked if each.path.endswith("/pods")]


@pytest.mark.parametrize("lost", [0, 403, 500])
@pytest.mark.parametrize("which", ["service", "slices", "pods"])
async def test_a_service_of_which_one_answer_is_missing_is_unknown(which: str, lost: int) -> None:
    whole: Json | int = lost if which == "service" else service()
    behind: Json | int = lost if which == "slices" else slices()
    outcome, _ = await fetched(whole, behind, lost if which == "pods" else pods())
    assert isinstance(outcome, Unknown)


async def test_a_list_counts_only_with_all_its_pages() -> None:
    more = {**slices([endpoint("green-1", ready=True)]), "metadata": {"continue": "next"}}

    def answer(asked: Asked) -> Json | int:
        if asked.path.endswith("/endpointslices"):
            return slices([endpoint("blue-1", ready=True)]) if "continue" in asked.query else more
        return pods("blue-1") if asked.path.endswith("/pods") else service()

    def cut_off(asked: Asked) -> Json | int:
        return 500 if "continue" in asked.query else answer(asked)

    whole, _ = await served(answer, lambda cluster: cluster.fetch_service(SERVICE, timeout=PATIENT))
    assert isinstance(whole, FoundService)
    assert (whole.serving, whole.strangers) == (1, 1)
    part, _ = await served(cut_off, lambda cluster: cluster.fetch_service(SERVICE, timeout=PATIENT))
    assert isinstance(part, Unknown)


async def test_a_service_that_is_gone_or_was_made_again_is_absent() -> None:
    assert (await fetched(404, slices(), pods()))[0] == Absent()
    assert (await fetched(service(), slices(), pods(), uid="another"))[0] == Absent()


async def scaler(answer: Json | int, uid: str = "") -> AutoscalerOutcome:
    ref = Ref(AUTOSCALER.kind, AUTOSCALER.namespace, AUTOSCALER.name, uid)
    patience = BRIEF if answer == 0 else PATIENT
    outcome, _ = await served(lambda _asked: answer, lambda cluster: cluster.fetch_autoscaler(ref, timeout=patience))
    found: AutoscalerOutcome = outcome
    return found


async def test_an_autoscaler_is_read_with_its_bounds_and_one_without_a_minimum_has_one_pod() -> None:
    body = {"metadata": {"uid": "a", "resourceVersion": "9"}, "spec": {"minReplicas": 3, "maxReplicas": 10}}
    assert await scaler(body) == FoundAutoscaler(
        uid="a", resource_version="9", minimum=3, maximum=10, receipt="", has_annotations=False
    )
    bare = await scaler({"metadata": {"uid": "a"}, "spec": {"maxReplicas": 10}})
    assert isinstance(bare, FoundAutoscaler)
    assert bare.minimum == 1


async def test_an_autoscaler_that_is_gone_is_absent_and_one_that_was_not_shown_unknown() -> None:
    body = {"metadata": {"uid": "a"}, "spec": {}}
    assert await scaler(404) == Absent()
    assert await scaler(body, uid="another") == Absent()
    assert isinstance(await scaler(403), Unknown)
    assert isinstance(await scaler(0), Unknown)


# --- writes ---

SWITCH = [
    {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
    {"op": "test", "path": "/metadata/uid", "value": "s"},
    {"op": "test", "path": "/spec/selector/version", "value": "green"},
    {"op": "add", "path": "/metadata/annotations/rollguard.dev~1step", "value": "p/3"},
    {"op": "replace", "path": "/spec/selector/version", "value": "blue"},
]
RAISE = [
    {"op": "test", "path": "/metadata/uid", "value": "a"},
    {"op": "test", "path": "/spec/minReplicas", "value": 2},
    {"op": "replace", "path": "/spec/minReplicas", "value": 5},
]


async def written(
    ref: Ref, patch: list[Json], status: int, body: Json, fresh: Json | int = 404
) -> tuple[WriteOutcome, list[Asked]]:
    async def script(on: Conversation) -> None:
        if on.asked.method == "PATCH":
            await on.answer(body, status=status)
        elif isinstance(fresh, int):
            await on.answer({}, status=fresh)
        else:
            await on.answer(fresh)

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        write = Write(ref=ref, patch=json.dumps(patch))
        outcome = await KubernetesCluster(api, CLOCK, random.Random(1)).apply(write, dry_run=False, timeout=2.0)
        await api.close()
    return outcome, server.asked


@pytest.mark.parametrize(
    ("ref", "patch", "path"),
    [
        (SERVICE, SWITCH, "/api/v1/namespaces/n/services/backend-service"),
        (AUTOSCALER, RAISE, "/apis/autoscaling/v2/namespaces/n/horizontalpodautoscalers/backend-blue"),
    ],
)
async def test_a_write_goes_to_its_own_kind_and_says_nothing_of_a_template(
    ref: Ref, patch: list[Json], path: str
) -> None:
    outcome, asked = await written(ref, patch, 200, service())
    assert isinstance(outcome, Applied)
    assert (outcome.template_body, outcome.template_digest) == ("", "")
    assert [(each.method, each.path) for each in asked] == [("PATCH", path)]


async def test_another_version_of_the_service_is_a_conflict() -> None:
    assert isinstance((await written(SERVICE, SWITCH, 409, {"message": "the object has been modified"}))[0], Conflict)


@pytest.mark.parametrize(
    ("ref", "patch", "fresh", "kind"),
    [
        (SERVICE, SWITCH, service({"version": "blue"}), Conflict),
        (AUTOSCALER, RAISE, {"metadata": {"uid": "a"}, "spec": {"minReplicas": 4}}, Conflict),
        (AUTOSCALER, RAISE, {"metadata": {"uid": "a"}, "spec": {"minReplicas": 2}}, Rejected),
        (AUTOSCALER, RAISE, 404, Absent),
    ],
)
async def test_422_of_a_set_is_classified_by_a_fresh_read_of_the_same_object(
    ref: Ref, patch: list[Json], fresh: Json | int, kind: type[WriteOutcome]
) -> None:
    outcome, asked = await written(ref, patch, 422, {"message": "the server rejected our request"}, fresh)
    assert isinstance(outcome, kind)
    assert [each.path for each in asked] == [asked[0].path] * 2


async def test_what_quota_or_admission_refuses_is_a_rejection_in_their_words() -> None:
    denied = {"message": 'services "backend-service" is forbidden: exceeded quota: services'}
    outcome, _ = await written(SERVICE, SWITCH, 403, denied)
    assert outcome == Rejected(status=403, detail=f"403 {denied['message']}")

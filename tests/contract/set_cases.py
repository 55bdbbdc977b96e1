"""The promises about release sets: what is seen of Services and autoscalers, and how a write to one is guarded."""

from __future__ import annotations

import asyncio
import json

from rollguard.model.action import (
    Absent,
    Applied,
    Conflict,
    Found,
    FoundAutoscaler,
    FoundService,
    Rejected,
    Write,
    WriteOutcome,
)
from rollguard.model.facts import UnitFacts
from rollguard.model.names import Ref, UnitName
from rollguard.model.policy import ReleaseSet, SetMember
from tests.contract.cases import RECEIPT, TIMEOUT, Case, Json
from tests.contract.ground import Ground

ANOTHER = "00000000-0000-4000-8000-000000000000"
KEY = "version"


def _platform(ground: Ground) -> ReleaseSet:
    """A pair with a Service, and workers without one, of which green is not there."""
    backend = SetMember(
        name="backend",
        service="backend-service",
        workloads=(("blue", "backend-blue"), ("green", "backend-green")),
    )
    workers = SetMember(name="workers", service="", workloads=(("blue", "workers-blue"), ("green", "workers-green")))
    return ReleaseSet(
        name="platform",
        namespace=ground.namespace,
        selector_key=KEY,
        colours=("blue", "green"),
        members=(workers, backend),
    )


async def _deployed(ground: Ground) -> UnitFacts:
    """The platform, live on green, with an autoscaler of blue; its facts as soon as they are whole."""
    platform = _platform(ground)
    for name in ("backend-green", "backend-blue", "workers-blue", "another"):
        await ground.human.deploy(name, "v1")
    await ground.human.serve("backend-service", {"app": "backend", KEY: "green"})
    await ground.human.serve("another-service", {"app": "another"})
    await ground.human.autoscale("backend-blue", minimum=2, maximum=5)
    await ground.human.autoscale("another", minimum=1, maximum=5)
    ground.cluster.sets((platform,))
    ground.cluster.guard(frozenset({platform.unit}))
    seen: list[UnitFacts] = []

    def whole() -> bool:
        seen[:] = [ground.cluster.facts(platform.unit)]
        facts = seen[0]
        settled = all(each.target() is not None for each in facts.members)
        return (
            facts.complete
            and settled
            and tuple(len(each) for each in (facts.members, facts.services, facts.autoscalers)) == (3, 1, 1)
        )

    await ground.until(whole, "the platform's facts")
    return seen[0]


def _service(ground: Ground, uid: str = "", name: str = "backend-service") -> Ref:
    return Ref("Service", ground.namespace, name, uid)


def _autoscaler(ground: Ground, uid: str = "", name: str = "backend-blue") -> Ref:
    return Ref("HorizontalPodAutoscaler", ground.namespace, name, uid)


def _blue(ground: Ground) -> Ref:
    return Ref("Deployment", ground.namespace, "backend-blue")


async def _read_service(ground: Ground) -> FoundService:
    found = await ground.cluster.fetch_service(_service(ground), timeout=TIMEOUT)
    assert isinstance(found, FoundService), found
    return found


async def _read_autoscaler(ground: Ground) -> FoundAutoscaler:
    found = await ground.cluster.fetch_autoscaler(_autoscaler(ground), timeout=TIMEOUT)
    assert isinstance(found, FoundAutoscaler), found
    return found


async def _read_blue(ground: Ground) -> Found:
    found = await ground.cluster.fetch(_blue(ground), timeout=TIMEOUT)
    assert isinstance(found, Found), found
    return found


def _receipt(found: FoundService | FoundAutoscaler | Found) -> Json:
    if found.has_annotations:
        return {"op": "add", "path": RECEIPT, "value": "p/1"}
    return {"op": "add", "path": "/metadata/annotations", "value": {"rollguard.dev/step": "p/1"}}


def _guarded(found: FoundService | FoundAutoscaler | Found, path: str, was: Json, becomes: Json) -> list[Json]:
    return [
        {"op": "test", "path": "/metadata/uid", "value": found.uid},
        {"op": "test", "path": path, "value": was},
        _receipt(found),
        {"op": "replace", "path": path, "value": becomes},
    ]


def _switch(ground: Ground, found: FoundService, was: str = "green", becomes: str = "blue") -> Write:
    version: Json = {"op": "replace", "path": "/metadata/resourceVersion", "value": found.resource_version}
    patch = [version, *_guarded(found, f"/spec/selector/{KEY}", was, becomes)]
    return Write(ref=_service(ground), patch=json.dumps(patch))


def _raise(ground: Ground, found: FoundAutoscaler, minimum: int) -> Write:
    patch = _guarded(found, "/spec/minReplicas", found.minimum, minimum)
    return Write(ref=_autoscaler(ground), patch=json.dumps(patch))


def _scale(ground: Ground, found: Found, replicas: int) -> Write:
    template: Json = {"op": "test", "path": "/spec/template", "value": json.loads(found.raw_template)}
    patch = [template, *_guarded(found, "/spec/replicas", found.replicas, replicas)]
    return Write(ref=_blue(ground), patch=json.dumps(patch))


async def _apply(ground: Ground, write: Write, *, dry_run: bool = False) -> WriteOutcome:
    return await ground.cluster.apply(write, dry_run=dry_run, timeout=TIMEOUT)


async def a_sets_facts_are_its_own_in_its_order(ground: Ground) -> None:
    facts = await _deployed(ground)
    assert [each.name.name for each in facts.members] == ["workers-blue", "backend-blue", "backend-green"]
    assert [(each.name, each.selects(KEY)) for each in facts.services] == [("backend-service", "green")]
    (scaler,) = facts.autoscalers
    assert (scaler.workload, scaler.minimum, scaler.maximum) == (ground.workload("backend-blue"), 2, 5)
    assert scaler.owner == ""
    assert {pod.workload.name for pod in facts.pods} <= {each.name.name for each in facts.members}


async def a_set_that_is_not_known_has_no_facts(ground: Ground) -> None:
    facts = await _deployed(ground)
    ground.cluster.sets(())
    nothing = ground.cluster.facts(facts.unit)
    assert not nothing.complete and nothing.members == ()


async def a_service_is_read_as_the_facts_have_it(ground: Ground) -> None:
    facts = await _deployed(ground)
    found = await _read_service(ground)
    assert (found.uid, found.selector) == (facts.services[0].uid, facts.services[0].selector)
    assert (found.receipt, found.has_annotations) == ("", False)


async def an_autoscaler_is_read_as_the_facts_have_it(ground: Ground) -> None:
    facts = await _deployed(ground)
    found = await _read_autoscaler(ground)
    assert (found.uid, found.minimum, found.maximum) == (facts.autoscalers[0].uid, 2, 5)
    assert (found.receipt, found.has_annotations) == ("", False)


async def what_is_not_there_or_has_another_uid_is_absent(ground: Ground) -> None:
    await _deployed(ground)
    for ref in (_service(ground, name="nothing"), _service(ground, ANOTHER)):
        assert await ground.cluster.fetch_service(ref, timeout=TIMEOUT) == Absent()
    for ref in (_autoscaler(ground, name="nothing"), _autoscaler(ground, ANOTHER)):
        assert await ground.cluster.fetch_autoscaler(ref, timeout=TIMEOUT) == Absent()


async def a_switch_and_its_receipt_are_one_write(ground: Ground) -> None:
    facts = await _deployed(ground)
    before = await _read_service(ground)
    assert isinstance(await _apply(ground, _switch(ground, before)), Applied)
    after = await _read_service(ground)
    assert (dict(after.selector), after.receipt) == ({"app": "backend", KEY: "blue"}, "p/1")
    assert after.has_annotations and after.resource_version != before.resource_version

    def seen() -> bool:
        return ground.cluster.facts(facts.unit).services[0].selects(KEY) == "blue"

    await ground.until(seen, "the switch in the facts")


async def a_dry_run_of_a_switch_changes_nothing(ground: Ground) -> None:
    await _deployed(ground)
    before = await _read_service(ground)
    assert isinstance(await _apply(ground, _switch(ground, before), dry_run=True), Applied)
    after = await _read_service(ground)
    assert (after.selector, after.receipt) == (before.selector, "")


async def the_same_switch_twice_conflicts(ground: Ground) -> None:
    await _deployed(ground)
    write = _switch(ground, await _read_service(ground))
    assert isinstance(await _apply(ground, write), Applied)
    assert isinstance(await _apply(ground, write), Conflict)


async def a_switch_conflicts_after_any_change_of_the_service(ground: Ground) -> None:
    await _deployed(ground)
    write = _switch(ground, await _read_service(ground))
    await ground.human.select("backend-service", "tier", "canary")
    assert isinstance(await _apply(ground, write), Conflict)
    after = await _read_service(ground)
    assert (dict(after.selector)[KEY], after.receipt) == ("green", "")


async def a_switch_from_a_colour_that_is_not_live_conflicts(ground: Ground) -> None:
    await _deployed(ground)
    await ground.human.select("backend-service", KEY, "blue")
    write = _switch(ground, await _read_service(ground))
    assert isinstance(await _apply(ground, write), Conflict)
    assert (await _read_service(ground)).receipt == ""


async def a_switch_wakes_its_set(ground: Ground) -> None:
    facts = await _deployed(ground)
    changes = aiter(ground.cluster.changes())
    await ground.human.select("backend-service", KEY, "blue")
    woken: set[UnitName] = set()

    def switched() -> bool:
        return ground.cluster.facts(facts.unit).services[0].selects(KEY) == "blue"

    async with asyncio.timeout(60):
        while facts.unit not in woken or not switched():
            woken.add(await anext(changes))
    assert switched()


async def a_minimum_and_its_receipt_are_one_write(ground: Ground) -> None:
    await _deployed(ground)
    before = await _read_autoscaler(ground)
    assert isinstance(await _apply(ground, _raise(ground, before, 4), dry_run=True), Applied)
    assert (await _read_autoscaler(ground)).minimum == 2
    assert isinstance(await _apply(ground, _raise(ground, before, 4)), Applied)
    after = await _read_autoscaler(ground)
    assert (after.minimum, after.maximum, after.receipt) == (4, 5, "p/1")


async def a_minimum_that_somebody_changed_is_not_overwritten(ground: Ground) -> None:
    await _deployed(ground)
    write = _raise(ground, await _read_autoscaler(ground), 4)
    await ground.human.set_minimum("backend-blue", 3)
    assert isinstance(await _apply(ground, write), Conflict)
    assert ((await _read_autoscaler(ground)).minimum, (await _read_autoscaler(ground)).receipt) == (3, "")


async def a_minimum_above_the_maximum_is_rejected(ground: Ground) -> None:
    await _deployed(ground)
    for dry_run in (True, False):
        outcome = await _apply(ground, _raise(ground, await _read_autoscaler(ground), 6), dry_run=dry_run)
        assert isinstance(outcome, Rejected) and outcome.status == 422
    assert (await _read_autoscaler(ground)).minimum == 2


async def a_write_to_a_service_or_an_autoscaler_that_is_not_there_is_absent(ground: Ground) -> None:
    await _deployed(ground)
    switch, raised = _switch(ground, await _read_service(ground)), _raise(ground, await _read_autoscaler(ground), 4)
    gone = (
        Write(ref=_service(ground, name="nothing"), patch=switch.patch),
        Write(ref=_autoscaler(ground, name="nothing"), patch=raised.patch),
    )
    for write in gone:
        assert await _apply(ground, write) == Absent()


async def replicas_are_changed_with_a_receipt_and_leave_the_template_alone(ground: Ground) -> None:
    await _deployed(ground)
    before = await _read_blue(ground)
    assert isinstance(await _apply(ground, _scale(ground, before, before.replicas + 1)), Applied)
    after = await _read_blue(ground)
    assert (after.replicas, after.receipt) == (before.replicas + 1, "p/1")
    assert after.template_digest == before.template_digest


async def replicas_are_not_changed_after_another_did_or_after_a_new_template(ground: Ground) -> None:
    await _deployed(ground)
    write = _scale(ground, await _read_blue(ground), 0)
    await ground.human.scale("backend-blue", 4)
    assert isinstance(await _apply(ground, write), Conflict)
    write = _scale(ground, await _read_blue(ground), 0)
    await ground.human.set_tag("backend-blue", "v2")
    assert isinstance(await _apply(ground, write), Conflict)
    after = await _read_blue(ground)
    assert (after.replicas, after.receipt) == (4, "")


SET_CASES: tuple[Case, ...] = (
    a_sets_facts_are_its_own_in_its_order,
    a_set_that_is_not_known_has_no_facts,
    a_service_is_read_as_the_facts_have_it,
    an_autoscaler_is_read_as_the_facts_have_it,
    what_is_not_there_or_has_another_uid_is_absent,
    a_switch_and_its_receipt_are_one_write,
    a_dry_run_of_a_switch_changes_nothing,
    the_same_switch_twice_conflicts,
    a_switch_conflicts_after_any_change_of_the_service,
    a_switch_from_a_colour_that_is_not_live_conflicts,
    a_switch_wakes_its_set,
    a_minimum_and_its_receipt_are_one_write,
    a_minimum_that_somebody_changed_is_not_overwritten,
    a_minimum_above_the_maximum_is_rejected,
    a_write_to_a_service_or_an_autoscaler_that_is_not_there_is_absent,
    replicas_are_changed_with_a_receipt_and_leave_the_template_alone,
    replicas_are_not_changed_after_another_did_or_after_a_new_template,
)

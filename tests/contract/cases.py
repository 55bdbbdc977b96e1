"""The promises. Each is a coroutine over a Ground; its name says what is promised. Outcomes and generations only:
without nodes no pod ever runs on the real side."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

from rollguard.model.action import Absent, Applied, Conflict, FetchOutcome, Found, Rejected, StepState, Unknown, Write
from rollguard.model.facts import Workload
from rollguard.model.names import Ref, RolloutId
from rollguard.model.records import Exists, LifecycleState, RolloutRecord, Stale, StoredRollout, StoredUnit, UnitRecord
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.ports import Held, NotHeld
from rollguard.sim.network import InvariantBroken
from tests.contract.ground import Ground
from tests.unit.records import PLAN, rollout_record

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
TIMEOUT = 5.0
REVISION = "/metadata/annotations/deployment.kubernetes.io~1revision"
RECEIPT = "/metadata/annotations/rollguard.dev~1step"


async def _deployed(ground: Ground, tag: str = "v1") -> Workload:
    """The Deployment `api`, its first revision settled and seen by the port."""
    await ground.human.deploy("api", tag)
    ground.cluster.guard(frozenset({ground.unit("api")}))
    return await _settled(ground, revisions=1, generation=1)


async def _settled(ground: Ground, *, revisions: int, generation: int) -> Workload:
    seen: list[Workload] = []

    def settled() -> bool:
        facts = ground.cluster.facts(ground.unit("api"))
        seen[:] = facts.members
        if not facts.members or not facts.complete:
            return False
        workload = facts.members[0]
        target = workload.target()
        return (
            len(workload.revisions) == revisions
            and workload.observed_generation == workload.generation == generation
            and target is not None
            and target.number == max(revision.number for revision in workload.revisions)
        )

    await ground.until(settled, f"a settled Deployment with {revisions} revisions")
    return seen[0]


async def _released(ground: Ground) -> tuple[Workload, Found]:
    """`api` on its second revision, and a fresh read of it."""
    await _deployed(ground)
    await ground.human.set_tag("api", "v2")
    workload = await _settled(ground, revisions=2, generation=2)
    return workload, _found(await ground.cluster.fetch(_ref(ground), timeout=TIMEOUT))


def _ref(ground: Ground, name: str = "api") -> Ref:
    return Ref("Deployment", ground.namespace, name)


def _found(outcome: FetchOutcome) -> Found:
    assert isinstance(outcome, Found), outcome
    return outcome


def _restore(ground: Ground, found: Found, body: str, receipt: str, *, uid: str = "") -> Write:
    operations: list[Json] = [
        {"op": "test", "path": "/metadata/uid", "value": uid or found.uid},
        {"op": "test", "path": "/spec/template", "value": json.loads(found.raw_template)},
        {"op": "add", "path": RECEIPT, "value": receipt},
        {"op": "replace", "path": "/spec/template", "value": json.loads(body)},
    ]
    return Write(ref=_ref(ground), patch=json.dumps(operations))


async def fetch_says_absent(ground: Ground) -> None:
    assert await ground.cluster.fetch(_ref(ground, "nothing"), timeout=TIMEOUT) == Absent()


async def fetch_agrees_with_the_cache(ground: Ground) -> None:
    workload = await _deployed(ground)
    found = _found(await ground.cluster.fetch(_ref(ground), timeout=TIMEOUT))
    assert (found.uid, found.generation, found.observed_generation) == (workload.uid, 1, 1)
    assert found.template_digest == workload.template.digest
    assert found.template_body == workload.template.body
    assert found.receipt == "" and found.has_annotations and not found.paused
    assert found.revision == 1


async def fetch_of_another_uid_is_absent(ground: Ground) -> None:
    await _deployed(ground)
    ref = Ref("Deployment", ground.namespace, "api", "00000000-0000-4000-8000-000000000000")
    assert await ground.cluster.fetch(ref, timeout=TIMEOUT) == Absent()


async def a_new_template_is_a_new_revision(ground: Ground) -> None:
    first = await _deployed(ground)
    await ground.human.set_tag("api", "v2")
    second = await _settled(ground, revisions=2, generation=2)
    assert (first.generation, second.generation) == (1, 2)
    assert [revision.number for revision in second.revisions] == [1, 2]
    target = second.target()
    assert target is not None and target.number == 2
    assert second.revisions[0].template.digest == first.template.digest


async def an_undo_reuses_the_revision_under_a_new_number(ground: Ground) -> None:
    workload, found = await _released(ground)
    old = workload.revisions[0]
    write = _restore(ground, found, old.template.body, "p/1")
    outcome = await ground.cluster.apply(write, dry_run=False, timeout=TIMEOUT)
    assert isinstance(outcome, Applied) and outcome.generation == 3
    after = _found(await ground.cluster.fetch(_ref(ground), timeout=TIMEOUT))
    assert (after.receipt, after.template_digest) == ("p/1", old.template.digest)
    settled = await _settled(ground, revisions=2, generation=3)
    assert sorted((revision.number, revision.hash) for revision in settled.revisions) == [
        (2, workload.revisions[1].hash),
        (3, old.hash),
    ]
    # the controller writes the Deployment's own number after its ReplicaSet's
    end = ground.clock.mono().plus(20.0)
    while _found(await ground.cluster.fetch(_ref(ground), timeout=TIMEOUT)).revision != 3:
        assert ground.clock.mono() < end, "the Deployment was never numbered 3"
        await ground.sleep(0.05)


async def a_dry_run_changes_nothing(ground: Ground) -> None:
    workload, found = await _released(ground)
    write = _restore(ground, found, workload.revisions[0].template.body, "p/1")
    assert isinstance(await ground.cluster.apply(write, dry_run=True, timeout=TIMEOUT), Applied)
    after = _found(await ground.cluster.fetch(_ref(ground), timeout=TIMEOUT))
    assert (after.generation, after.receipt, after.template_digest) == (2, "", found.template_digest)


async def an_answer_says_which_template_the_server_keeps(ground: Ground) -> None:
    workload, found = await _released(ground)
    old = workload.revisions[0].template
    write = _restore(ground, found, old.body, "p/1")
    for dry_run in (True, False):
        outcome = await ground.cluster.apply(write, dry_run=dry_run, timeout=TIMEOUT)
        assert isinstance(outcome, Applied)
        assert (outcome.template_body, outcome.template_digest) == (old.body, old.digest)


async def the_guard_fails_after_a_change_of_the_template(ground: Ground) -> None:
    workload, found = await _released(ground)
    await ground.human.set_tag("api", "v3")
    write = _restore(ground, found, workload.revisions[0].template.body, "p/1")
    assert isinstance(await ground.cluster.apply(write, dry_run=False, timeout=TIMEOUT), Conflict)
    after = _found(await ground.cluster.fetch(_ref(ground), timeout=TIMEOUT))
    assert (after.generation, after.receipt) == (3, "")


async def the_guard_passes_after_a_scale_and_leaves_replicas_alone(ground: Ground) -> None:
    workload, found = await _released(ground)
    await ground.human.scale("api", 5)
    write = _restore(ground, found, workload.revisions[0].template.body, "p/1")
    outcome = await ground.cluster.apply(write, dry_run=False, timeout=TIMEOUT)
    assert isinstance(outcome, Applied) and outcome.generation == 4
    assert await ground.human.replicas("api") == 5


async def the_same_write_twice_fails_its_guard(ground: Ground) -> None:
    workload, found = await _released(ground)
    write = _restore(ground, found, workload.revisions[0].template.body, "p/1")
    assert isinstance(await ground.cluster.apply(write, dry_run=False, timeout=TIMEOUT), Applied)
    assert isinstance(await ground.cluster.apply(write, dry_run=False, timeout=TIMEOUT), Conflict)
    after = _found(await ground.cluster.fetch(_ref(ground), timeout=TIMEOUT))
    assert after.generation == 3


async def a_guard_on_the_revision_number_fails_under_another(ground: Ground) -> None:
    workload, found = await _released(ground)
    write = _restore(ground, found, workload.revisions[0].template.body, "p/1")
    for number, outcome in ((str(found.revision - 1), Conflict), (str(found.revision), Applied)):
        operations = [{"op": "test", "path": REVISION, "value": number}, *json.loads(write.patch)]
        guarded = replace(write, patch=json.dumps(operations))
        assert isinstance(await ground.cluster.apply(guarded, dry_run=False, timeout=TIMEOUT), outcome)


async def another_uid_fails_the_guard(ground: Ground) -> None:
    workload, found = await _released(ground)
    wrong = _restore(ground, found, workload.revisions[0].template.body, "p/1", uid="another")
    assert isinstance(await ground.cluster.apply(wrong, dry_run=False, timeout=TIMEOUT), Conflict)


async def an_invalid_template_is_rejected(ground: Ground) -> None:
    _, found = await _released(ground)
    body: Json = json.loads(found.raw_template)
    assert isinstance(body, dict)
    spec = body["spec"]
    assert isinstance(spec, dict)
    empty = json.dumps({**body, "spec": {**spec, "containers": []}})
    outcome = await ground.cluster.apply(_restore(ground, found, empty, "p/1"), dry_run=False, timeout=TIMEOUT)
    assert isinstance(outcome, Rejected) and outcome.status == 422


async def a_write_to_nothing_is_absent(ground: Ground) -> None:
    _, found = await _released(ground)
    write = replace(_restore(ground, found, found.template_body, "p/1"), ref=_ref(ground, "nothing"))
    assert await ground.cluster.apply(write, dry_run=False, timeout=TIMEOUT) == Absent()


async def an_old_resource_version_conflicts(ground: Ground) -> None:
    _, found = await _released(ground)
    await ground.human.scale("api", 4)
    operations = [{"op": "replace", "path": "/metadata/resourceVersion", "value": found.resource_version}]
    write = Write(ref=_ref(ground), patch=json.dumps(operations))
    assert isinstance(await ground.cluster.apply(write, dry_run=False, timeout=TIMEOUT), Conflict)


async def a_saved_template_comes_back(ground: Ground) -> None:
    workload = await _deployed(ground)
    name = await ground.cluster.save_template(workload.name, workload.template, timeout=TIMEOUT)
    again = await ground.cluster.save_template(workload.name, workload.template, timeout=TIMEOUT)
    assert isinstance(name, str) and again == name
    assert await ground.cluster.load_template(ground.namespace, name, timeout=TIMEOUT) == workload.template
    assert await ground.cluster.load_template(ground.namespace, "nothing", timeout=TIMEOUT) == Absent()


async def inventory_and_changes_show_what_comes(ground: Ground) -> None:
    await _deployed(ground)
    items = ground.cluster.inventory() or ()
    assert [item.name for item in items if item.name.namespace == ground.namespace] == [ground.workload("api")]
    changes = aiter(ground.cluster.changes())
    await ground.human.set_tag("api", "v2")
    assert await anext(changes) == ground.unit("api")


async def a_deleted_workload_has_no_members(ground: Ground) -> None:
    await _deployed(ground)
    await ground.human.delete("api")
    await ground.until(lambda: not ground.cluster.facts(ground.unit("api")).members, "the end of the Deployment")


# --- records ---


def _unit(ground: Ground) -> UnitRecord:
    return UnitRecord(name=ground.unit("api"), workload=ground.workload("api"), uid="uid-1")


def _rollout(ground: Ground) -> RolloutRecord:
    return replace(
        rollout_record(),
        id=RolloutId("api-r2-bbb-uid1"),
        unit=ground.unit("api"),
        workload=ground.workload("api"),
        state=LifecycleState.WATCHING,
        plan=None,
        outcome=None,
        closed=None,
    )


def _stored_unit(outcome: object) -> StoredUnit:
    assert isinstance(outcome, StoredUnit), outcome
    return outcome


def _stored(outcome: object) -> StoredRollout:
    assert isinstance(outcome, StoredRollout), outcome
    return outcome


async def a_unit_is_created_once(ground: Ground) -> None:
    created = _stored_unit(await ground.records.create_unit(_unit(ground)))
    assert created.record == _unit(ground)
    assert await ground.records.create_unit(_unit(ground)) == Exists()
    assert await ground.records.read_unit(ground.unit("api")) == created
    assert await ground.records.read_unit(ground.unit("nothing")) == Absent()
    listed = await ground.records.list_units()
    assert not isinstance(listed, Unknown) and created in listed


async def a_unit_is_replaced_by_compare_and_swap(ground: Ground) -> None:
    first = _stored_unit(await ground.records.create_unit(_unit(ground)))
    changed = replace(first.record, current_rollout=RolloutId("r-1"))
    second = _stored_unit(await ground.records.replace_unit(first, changed))
    assert second.record == changed and second.version != first.version
    assert await ground.records.replace_unit(first, changed) == Stale()
    gone = replace(first, record=replace(first.record, name=ground.unit("nothing")))
    assert await ground.records.replace_unit(gone, gone.record) == Absent()


async def what_people_wrote_survives_the_guards_write(ground: Ground) -> None:
    first = _stored_unit(await ground.records.create_unit(_unit(ground)))
    asked = HumanRequest(
        id="one", kind=RequestKind.ACKNOWLEDGE, actor="lab-admin", at=_rollout(ground).started, reason="seen"
    )
    await ground.human.request(ground.unit("api"), asked)
    assert await ground.records.replace_unit(first, first.record) == Stale()
    now = _stored_unit(await ground.records.read_unit(ground.unit("api")))
    written = _stored_unit(await ground.records.replace_unit(now, replace(now.record, requests=(), uid="uid-1")))
    assert [request.id for request in written.record.requests] == ["one"]


async def a_rollout_is_created_once_and_read_as_written(ground: Ground) -> None:
    record = _rollout(ground)
    created = _stored(await ground.records.create_rollout(record))
    assert created.record == record
    assert await ground.records.create_rollout(record) == Exists()
    assert await ground.records.read_rollout(record.unit, record.id) == created
    assert await ground.records.read_rollout(record.unit, RolloutId("nothing")) == Absent()
    changed = _stored(await ground.records.replace_rollout(created, replace(record, why="because")))
    assert await ground.records.replace_rollout(created, record) == Stale()
    assert changed.record.why == "because"


async def open_rollouts_are_listed_apart(ground: Ground) -> None:
    record = _rollout(ground)
    created = _stored(await ground.records.create_rollout(record))
    listed = await ground.records.list_rollouts(open_only=True)
    assert not isinstance(listed, Unknown) and created in listed
    closed = _stored(await ground.records.replace_rollout(created, replace(record, closed=record.started)))
    listed = await ground.records.list_rollouts(open_only=True)
    assert not isinstance(listed, Unknown) and all(
        stored.record.id != record.id or stored.record.unit != record.unit for stored in listed
    )
    everything = await ground.records.list_rollouts(open_only=False)
    assert not isinstance(everything, Unknown) and closed in everything


async def a_deleted_rollout_is_gone(ground: Ground) -> None:
    created = _stored(await ground.records.create_rollout(_rollout(ground)))
    assert await ground.records.delete_rollout(created) is None
    assert await ground.records.read_rollout(created.record.unit, created.record.id) == Absent()


async def _refused(ground: Ground, stored: StoredRollout, record: RolloutRecord) -> None:
    """The server takes no such write, and the object stays as it was. The simulator says so by an exception."""
    try:
        outcome = await ground.records.replace_rollout(stored, record)
    except InvariantBroken:
        pass
    else:
        assert isinstance(outcome, Unknown), outcome
    assert await ground.records.read_rollout(stored.record.unit, stored.record.id) == stored


async def epochs_never_fall(ground: Ground) -> None:
    stored = _stored(await ground.records.create_rollout(_rollout(ground)))
    await _refused(ground, stored, replace(stored.record, epoch=stored.record.epoch - 1))


async def a_live_plan_is_immutable(ground: Ground) -> None:
    plan = replace(PLAN, steps=(replace(PLAN.steps[0], state=StepState.PENDING),))
    record = replace(_rollout(ground), plan=plan, state=LifecycleState.ACTING)
    stored = _stored(await ground.records.create_rollout(record))
    await _refused(ground, stored, replace(record, plan=None))
    await _refused(ground, stored, replace(record, plan=replace(plan, id="another")))
    await _refused(ground, stored, replace(record, plan=replace(plan, expires=plan.expires.plus(900))))
    changed = replace(plan.steps[0], body='{"spec":{}}')
    await _refused(ground, stored, replace(record, plan=replace(plan, steps=(changed,))))


async def step_states_only_advance(ground: Ground) -> None:
    plan = replace(PLAN, steps=(replace(PLAN.steps[0], state=StepState.DONE),))
    record = replace(_rollout(ground), plan=plan, state=LifecycleState.ACTING)
    stored = _stored(await ground.records.create_rollout(record))
    for state in (StepState.PENDING, StepState.TRYING, StepState.FAILED):
        back = replace(plan, steps=(replace(plan.steps[0], state=state),))
        await _refused(ground, stored, replace(record, plan=back))


async def closed_is_final(ground: Ground) -> None:
    record = replace(_rollout(ground), closed=_rollout(ground).started)
    stored = _stored(await ground.records.create_rollout(record))
    await _refused(ground, stored, replace(record, closed=None))


# --- leadership ---


async def one_leads_and_the_other_does_not(ground: Ground) -> None:
    first, second = ground.contender("first"), ground.contender("second")
    held = await first.renew(open_epochs=())
    assert isinstance(held, Held) and held.epoch >= 1
    assert await first.look() is None
    other = await second.look()
    assert isinstance(other, NotHeld) and other.holder
    assert isinstance(await second.renew(open_epochs=()), NotHeld)
    again = await first.renew(open_epochs=())
    assert isinstance(again, Held) and again.epoch == held.epoch and again.until >= held.until


async def a_released_lease_is_taken_at_once_with_a_higher_epoch(ground: Ground) -> None:
    first, second = ground.contender("first"), ground.contender("second")
    held = await first.renew(open_epochs=())
    assert isinstance(held, Held)
    await first.release()
    assert await second.look() is None
    taken = await second.renew(open_epochs=())
    assert isinstance(taken, Held) and taken.epoch > held.epoch


async def a_silent_holder_is_followed_after_the_leases_time_and_not_before(ground: Ground) -> None:
    first, second = ground.contender("first"), ground.contender("second")
    held = await first.renew(open_epochs=())
    assert isinstance(held, Held)
    assert isinstance(await second.renew(open_epochs=()), NotHeld)
    await ground.sleep(ground.lease_seconds * 0.7)
    assert isinstance(await second.renew(open_epochs=()), NotHeld)
    await ground.sleep(ground.lease_seconds * 0.4)
    taken = await second.renew(open_epochs=(17,))
    assert isinstance(taken, Held) and taken.epoch >= 18
    assert isinstance(await first.renew(open_epochs=()), NotHeld)


async def a_deleted_lease_does_not_lower_the_epoch(ground: Ground) -> None:
    first, second = ground.contender("first"), ground.contender("second")
    assert isinstance(await first.renew(open_epochs=(41,)), Held)
    await ground.human.delete_lease()
    taken = await second.renew(open_epochs=(42,))
    assert isinstance(taken, Held) and taken.epoch == 43


Case = Callable[[Ground], Awaitable[None]]
CASES: tuple[Case, ...] = (
    fetch_says_absent,
    fetch_agrees_with_the_cache,
    fetch_of_another_uid_is_absent,
    a_new_template_is_a_new_revision,
    an_undo_reuses_the_revision_under_a_new_number,
    a_dry_run_changes_nothing,
    an_answer_says_which_template_the_server_keeps,
    the_guard_fails_after_a_change_of_the_template,
    the_guard_passes_after_a_scale_and_leaves_replicas_alone,
    the_same_write_twice_fails_its_guard,
    a_guard_on_the_revision_number_fails_under_another,
    another_uid_fails_the_guard,
    an_invalid_template_is_rejected,
    a_write_to_nothing_is_absent,
    an_old_resource_version_conflicts,
    a_saved_template_comes_back,
    inventory_and_changes_show_what_comes,
    a_deleted_workload_has_no_members,
    a_unit_is_created_once,
    a_unit_is_replaced_by_compare_and_swap,
    what_people_wrote_survives_the_guards_write,
    a_rollout_is_created_once_and_read_as_written,
    open_rollouts_are_listed_apart,
    a_deleted_rollout_is_gone,
    epochs_never_fall,
    a_live_plan_is_immutable,
    step_states_only_advance,
    closed_is_final,
    one_leads_and_the_other_does_not,
    a_released_lease_is_taken_at_once_with_a_higher_epoch,
    a_silent_holder_is_followed_after_the_leases_time_and_not_before,
    a_deleted_lease_does_not_lower_the_epoch,
)

"""The courtesy after an undo: the restored fields go back to who applies them, and nothing of it stops the rollback."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollguard import undo
from rollguard.model.action import Absent, FetchOutcome, Plan, StepKind, StepState, Unknown
from rollguard.model.time import Instant
from rollguard.sim.json_patch import JsonObject, JsonValue
from rollguard.undo.deployment import LAST_APPLIED
from rollguard.undo.patch import RECEIPT
from tests.unit.records import START
from tests.unit.undo.server import FIXED, REF, Server, child, plan_to_restore

NOW = START.plus(10)
CONTAINER = 'k:{"name":"app"}'


def entry(manager: str, *fields: str, operation: str = "Apply", elsewhere: str = "") -> JsonObject:
    """An entry that owns these fields of the container, and perhaps one outside the template."""
    container: JsonObject = {field: {} for field in fields}
    spec: JsonObject = {"f:template": {"f:spec": {"f:containers": {CONTAINER: container}}}} if fields else {}
    if elsewhere:
        spec[elsewhere] = {}
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "time": "2026-11-27T19:51:32Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": spec},
    }


OURS = entry("rollguard", "f:image", "f:command", operation="Update")
"""The restoring write changed the image, and brought a command back."""
STATUS: JsonObject = {**entry("kube-controller-manager", "f:image", operation="Update"), "subresource": "status"}


def restored(bad: list[JsonObject], now: list[JsonObject], *, annotations: dict[str, str] | None = None) -> Undone:
    """A Deployment whose bad version was owned as `bad` says, undone, and owned as `now` says."""
    server = Server(annotations=annotations or {"team": "dubbing"})
    own(server, bad)
    plan = undo.with_owners(plan_to_restore(), server.found())
    first = undo.next(plan, {REF: server.found()}, NOW, frozen="")
    assert isinstance(first, undo.Send)
    assert server.send(first.write.patch)
    own(server, now)
    done = replace(plan.restoring, state=StepState.DONE)
    return Undone(server, replace(plan, steps=(done, *plan.steps[1:])))


def own(server: Server, entries: list[JsonObject]) -> None:
    listed: list[JsonValue] = [*entries]
    child(server.object, "metadata")["managedFields"] = listed


class Undone:
    def __init__(self, server: Server, plan: Plan) -> None:
        self.server, self.plan = server, plan

    def ask(self, found: FetchOutcome | None = None, *, now: Instant = NOW, frozen: str = "") -> undo.Next:
        return undo.next(self.plan, {REF: found or self.server.found()}, now, frozen=frozen)

    def patch(self) -> str:
        answer = self.ask()
        assert isinstance(answer, undo.Send)
        assert answer.step.kind is StepKind.RESTORE_MANAGERS
        return answer.write.patch

    def fields(self) -> dict[str, list[str]]:
        """Who owns which fields of the container now, by what the server keeps."""
        found: dict[str, list[str]] = {}
        for each in json.loads(self.server.found().managed_fields):
            template = each["fieldsV1"]["f:spec"].get("f:template")
            if template and not each.get("subresource"):
                found[each["manager"]] = sorted(template["f:spec"]["f:containers"][CONTAINER])
        return found


def test_what_the_undo_changed_and_what_it_brought_back_goes_to_the_only_one_who_applies() -> None:
    undone = restored(
        [entry("ci", "f:image", "f:args")], [entry("ci", "f:ports", elsewhere="f:replicas"), STATUS, OURS]
    )
    assert undone.server.send(undone.patch())
    assert undone.fields() == {"ci": ["f:command", "f:image", "f:ports"]}
    left = json.loads(undone.server.found().managed_fields)
    assert [each["manager"] for each in left] == ["ci", "kube-controller-manager"]
    assert left[0]["fieldsV1"]["f:spec"]["f:replicas"] == {}
    assert undone.server.annotations[RECEIPT] == "translation-2.1/1"
    answer = undone.ask()
    assert isinstance(answer, undo.MarkDone)
    assert answer.step.state is StepState.DONE


def test_what_else_the_guard_owns_stays_in_its_name() -> None:
    ours = entry("rollguard", "f:image", operation="Update", elsewhere="f:paused")
    undone = restored([entry("ci", "f:image")], [entry("ci", "f:ports"), ours])
    assert undone.server.send(undone.patch())
    assert json.loads(undone.server.found().managed_fields)[1]["fieldsV1"] == {"f:spec": {"f:paused": {}}}


def test_a_manager_is_never_given_a_field_that_it_may_not_know_of() -> None:
    """Its next apply would remove the field from the running version."""
    bad = [entry("ci", "f:image"), entry("operator", "f:args"), entry("admin", "f:env", operation="Update")]
    now = [entry("admin", "f:env", operation="Update"), entry("ci", "f:ports"), entry("operator", "f:args"), OURS]
    undone = restored(bad, now)
    assert undone.server.send(undone.patch())
    assert undone.fields() == {"ci": ["f:command", "f:image", "f:ports"], "operator": ["f:args"], "admin": ["f:env"]}


def test_a_field_that_the_undo_brought_back_is_nobodys_where_several_may_have_dropped_it() -> None:
    bad = [entry("ci", "f:image"), entry("operator", "f:args")]
    undone = restored(bad, [entry("ci", "f:ports"), entry("operator", "f:stdin"), OURS])
    assert undone.server.send(undone.patch())
    assert undone.fields() == {"ci": ["f:image", "f:ports"], "operator": ["f:stdin"]}


def test_an_entry_of_which_the_undo_left_nothing_is_made_anew() -> None:
    undone = restored([entry("image-updater", "f:image")], [OURS])
    assert undone.server.send(undone.patch())
    assert undone.fields() == {"image-updater": ["f:command", "f:image"]}


def test_without_anybody_who_applies_server_side_the_fields_go_back_to_who_wrote_them() -> None:
    undone = restored(
        [entry("helm", "f:image", operation="Update")], [entry("helm", "f:ports", operation="Update"), OURS]
    )
    assert undone.server.send(undone.patch())
    assert undone.fields() == {"helm": ["f:command", "f:image", "f:ports"]}


def test_a_client_side_apply_of_kubectl_needs_no_second_write() -> None:
    kubectl = entry("kubectl-client-side-apply", "f:image", operation="Update")
    server = Server(annotations={LAST_APPLIED: '{"spec":{"template":{}}}'})
    own(server, [kubectl])
    assert undo.with_owners(plan_to_restore(), server.found()) == plan_to_restore()


def test_a_second_write_that_arrives_late_changes_nothing() -> None:
    undone = restored([entry("ci", "f:image")], [entry("ci", "f:ports"), OURS])
    late = undone.patch()
    assert undone.server.send(undone.patch())
    before = undone.server.found()
    assert not undone.server.send(late)
    assert undone.server.found() == before


def test_it_passes_over_entries_that_were_changed_since_and_over_a_newer_template() -> None:
    undone = restored([entry("ci", "f:image")], [entry("ci", "f:ports"), OURS])
    patch = undone.patch()
    own(undone.server, [entry("ci", "f:stdin"), OURS])
    assert not undone.server.send(patch)
    own(undone.server, [entry("ci", "f:ports"), OURS])
    undone.server.apply(FIXED)
    assert not undone.server.send(patch)


@pytest.mark.parametrize("changed", ["a newer template", "a pause", "a freeze", "expiry", "deleted", "never readable"])
def test_what_keeps_it_from_being_done_skips_it_and_never_gives_the_plan_up(changed: str) -> None:
    undone = restored([entry("ci", "f:image")], [entry("ci", "f:ports"), OURS])
    if changed == "a newer template":
        undone.server.apply(FIXED)
    elif changed == "a pause":
        undone.server.pause(True)
    late = changed in ("expiry", "never readable")
    reads: dict[str, FetchOutcome] = {"deleted": Absent(), "never readable": Unknown(detail="timeout")}
    read = reads.get(changed)
    now = undone.plan.expires if late else NOW
    answer = undone.ask(read, now=now, frozen="launch day" if changed == "a freeze" else "")
    assert isinstance(answer, undo.MarkDone)
    assert answer.step.state is StepState.SKIPPED
    assert answer.step.detail
    over = replace(undone.plan, steps=(undone.plan.restoring, answer.step))
    assert undo.next(over, {REF: undone.server.found()}, NOW, frozen="") == undo.Finished()
    assert over.done


def test_a_read_that_was_lost_is_tried_again() -> None:
    undone = restored([entry("ci", "f:image")], [entry("ci", "f:ports"), OURS])
    assert isinstance(undone.ask(Unknown(detail="timeout")), undo.Wait)


def test_a_template_that_somebody_else_put_back_leaves_nothing_to_give_back() -> None:
    undone = restored([entry("ci", "f:image")], [entry("ci", "f:ports"), OURS])
    del undone.server.annotations[RECEIPT]
    answer = undone.ask()
    assert isinstance(answer, undo.MarkDone)
    assert answer.step.state is StepState.DONE

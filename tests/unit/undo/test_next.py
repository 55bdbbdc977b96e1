"""The next step, by what a fresh read shows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollguard import undo
from rollguard.model.action import Absent, FetchOutcome, Found, Step, StepState, Unknown, Write
from rollguard.model.documents import Json
from rollguard.model.time import Instant
from rollguard.undo.deployment import LAST_APPLIED, REVISION
from rollguard.undo.patch import RECEIPT
from tests.unit.records import START
from tests.unit.undo.server import FIXED, GOOD, HASH_LABEL, NEW, OLD, REF, Server, child, plan_to_restore

NOW = START.plus(10)
PLAN = plan_to_restore()


def ask(found: FetchOutcome, *, now: Instant = NOW, frozen: str = "") -> undo.Next:
    return undo.next(PLAN, {REF: found}, now, frozen=frozen)


def sent(server: Server) -> str:
    """The patch that is sent now."""
    answer = ask(server.found())
    assert isinstance(answer, undo.Send)
    return answer.write.patch


def tried(found: Found) -> Write:
    """The write that the server is asked about in advance."""
    trials = undo.trials(PLAN, {REF: found}, NOW)
    assert not isinstance(trials, undo.Refused)
    ((step, write),) = trials
    assert step == PLAN.restoring
    return write


@pytest.mark.parametrize("annotations", [None, {"team": "dubbing"}], ids=["no annotations", "annotations"])
def test_one_write_restores_the_template_and_leaves_the_receipt(annotations: dict[str, str] | None) -> None:
    server = Server(annotations=annotations)
    assert server.send(sent(server))
    assert server.spec["template"] == OLD
    assert server.annotations == {**(annotations or {}), REVISION: "2", RECEIPT: "translation-2.1/1"}
    done = ask(server.found())
    assert isinstance(done, undo.MarkDone)
    assert done.step.state is StepState.DONE
    finished = undo.next(replace(PLAN, steps=(done.step,)), {REF: server.found()}, NOW, frozen="")
    assert finished == undo.Finished()


def test_replicas_are_never_written_and_a_scale_between_read_and_write_is_kept() -> None:
    server = Server(annotations={})
    patch = sent(server)
    server.scale(9)
    assert server.send(patch)
    assert server.spec["replicas"] == 9
    assert "replicas" not in patch


def test_a_template_changed_between_read_and_write_is_not_overwritten() -> None:
    server = Server(annotations={"team": "dubbing"})
    patch = sent(server)
    server.apply(FIXED)
    assert not server.send(patch)
    assert server.spec["template"] == FIXED


def test_annotations_made_between_read_and_write_are_not_overwritten() -> None:
    server = Server()
    server.replace_by(NEW)
    write = tried(server.found())
    child(server.object, "metadata")["annotations"] = {"team": "dubbing"}
    assert not server.send(write.patch)
    assert server.annotations == {"team": "dubbing"}


def test_another_object_of_the_same_name_is_not_written() -> None:
    server = Server(annotations={"team": "dubbing"})
    patch = sent(server)
    child(server.object, "metadata")["uid"] = "uid-2"
    assert not server.send(patch)
    assert isinstance(ask(server.found()), undo.Supersede)


def test_a_repeated_request_that_arrives_late_changes_nothing_though_the_bad_template_is_back() -> None:
    server = Server(annotations={"team": "dubbing"})
    patch = sent(server)
    assert server.send(patch)
    server.apply(NEW)
    assert not server.send(patch)
    assert server.restored == 1
    assert isinstance(ask(server.found()), undo.Supersede)


def test_a_step_that_took_effect_is_not_repeated_though_an_undo_by_hand_took_its_receipt_away() -> None:
    server = Server(annotations={"team": "dubbing"})
    late = sent(server)
    assert server.send(sent(server))
    server.observe()
    server.undo_by_hand()
    assert server.spec["template"] == NEW
    assert RECEIPT not in server.annotations
    for _ in range(2):
        answer = ask(server.found())
        assert isinstance(answer, undo.Supersede)
        assert "applied again" in answer.reason
        assert not server.send(late)
        server.observe()
    assert server.restored == 1


def test_a_revision_that_is_not_numbered_yet_is_waited_for_but_not_past_expiry() -> None:
    server = Server()
    server.annotations[REVISION] = "1"
    assert isinstance(ask(server.found()), undo.Wait)
    assert isinstance(ask(server.found(), now=PLAN.expires), undo.Supersede)
    server.observe()
    assert isinstance(ask(server.found()), undo.Send)


def test_an_old_plans_receipt_that_came_back_with_an_undo_does_not_count() -> None:
    server = Server(annotations={RECEIPT: "translation-1.1/1"})
    assert server.send(sent(server))
    assert server.annotations[RECEIPT] == "translation-2.1/1"


def test_a_template_that_somebody_else_put_back_is_done_without_a_write() -> None:
    server = Server(annotations={"team": "dubbing"})
    server.apply(OLD)
    done = ask(server.found())
    assert isinstance(done, undo.MarkDone)
    assert "somebody else" in done.step.detail


@pytest.mark.parametrize("frozen", ["", "launch day"])
@pytest.mark.parametrize("late", [10.0, 5000.0])
def test_what_is_done_is_marked_whatever_has_changed_since(frozen: str, late: float) -> None:
    server = Server(annotations={"team": "dubbing"})
    server.send(sent(server))
    server.pause(True)
    assert isinstance(ask(server.found(), now=START.plus(late), frozen=frozen), undo.MarkDone)


def test_a_newer_template_supersedes() -> None:
    server = Server()
    server.apply(FIXED)
    answer = ask(server.found())
    assert isinstance(answer, undo.Supersede)
    assert "newer change" in answer.reason


def test_a_freeze_a_pause_and_expiry_supersede() -> None:
    server = Server()
    assert ask(server.found(), frozen="launch day") == undo.Supersede(reason="frozen: launch day")
    assert isinstance(ask(server.found(), now=PLAN.expires), undo.Supersede)
    assert isinstance(ask(server.found(), now=PLAN.expires.plus(-0.001)), undo.Send)
    server.pause(True)
    server.observe()
    assert ask(server.found()) == undo.Supersede(reason="the Deployment was paused")


def test_a_status_behind_the_spec_is_waited_for_but_not_past_expiry() -> None:
    server = Server()
    server.scale(4)
    assert isinstance(ask(server.found()), undo.Wait)
    assert isinstance(ask(server.found(), now=PLAN.expires), undo.Supersede)
    server.observe()
    assert isinstance(ask(server.found()), undo.Send)


def test_an_unreadable_workload_is_waited_for_and_a_deleted_one_supersedes() -> None:
    assert isinstance(ask(Unknown(detail="timeout")), undo.Wait)
    assert isinstance(ask(Absent()), undo.Supersede)


def test_a_failed_step_ends_the_plan() -> None:
    failed: Step = replace(PLAN.steps[0], state=StepState.FAILED, detail="refused")
    answer = undo.next(replace(PLAN, steps=(failed,)), {REF: Server().found()}, NOW, frozen="")
    assert answer == undo.Supersede(reason="step 1 failed: refused")


def test_client_side_apply_is_kept_in_step() -> None:
    manifest: Json = {"kind": "Deployment", "spec": {"replicas": 2, "template": {"spec": "bad"}}}
    server = Server(annotations={LAST_APPLIED: json.dumps(manifest)})
    assert server.send(sent(server))
    kept = json.loads(str(server.annotations[LAST_APPLIED]))
    assert kept == {"kind": "Deployment", "spec": {"replicas": 2, "template": OLD}}


@pytest.mark.parametrize("text", ["not JSON", "[]", '{"kind":"Deployment"}', '{"spec":{"replicas":1}}'])
def test_a_last_applied_annotation_that_makes_no_sense_is_left_alone(text: str) -> None:
    server = Server(annotations={LAST_APPLIED: text})
    assert server.send(sent(server))
    assert server.annotations[LAST_APPLIED] == text


def test_an_apply_between_read_and_write_is_not_lost_from_last_applied() -> None:
    server = Server(annotations={LAST_APPLIED: '{"spec":{"template":{}}}'})
    patch = sent(server)
    server.annotations[LAST_APPLIED] = '{"spec":{"template":{},"paused":false}}'
    assert not server.send(patch)


def test_the_hash_label_of_a_replica_set_is_never_written() -> None:
    labelled = json.loads(GOOD.body)
    labelled["metadata"]["labels"][HASH_LABEL] = "abc"
    step = replace(PLAN.steps[0], body=json.dumps(labelled))
    answer = undo.next(replace(PLAN, steps=(step,)), {REF: Server().found()}, NOW, frozen="")
    assert isinstance(answer, undo.Send)
    assert HASH_LABEL not in answer.write.patch


def test_the_server_is_asked_in_advance_with_the_very_write_that_follows() -> None:
    found = Server().found()
    answer = ask(found)
    assert isinstance(answer, undo.Send)
    assert tried(found) == answer.write

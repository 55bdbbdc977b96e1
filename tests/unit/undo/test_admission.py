"""A template that admission changes on its way in is not the revision that was judged."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from rollguard import undo
from rollguard.model.action import Applied, StepKind
from rollguard.sim.template import template_of
from tests.unit.records import START
from tests.unit.undo.server import BAD, FIXED, GOOD, OLD, REF, Server, plan_to_restore

PLAN = plan_to_restore()


def answer(raw: Any) -> Applied:
    kept = template_of(raw)
    return Applied(at=START, generation=6, template_body=kept.body, template_digest=kept.digest)


def mutated(change: Callable[[Any], object]) -> Any:
    raw = deepcopy(OLD)
    change(raw)
    return raw


def test_the_template_as_it_was_is_no_change() -> None:
    assert undo.changed(PLAN.restoring, answer(OLD)) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda t: t["spec"]["containers"].append({"name": "mesh", "image": "mesh:v1"}),
            "spec.containers[mesh] is added",
        ),
        (
            lambda t: t["spec"]["containers"][0].update(env=[{"name": "TOKEN", "value": "s3cret"}]),
            "spec.containers[app].env is added",
        ),
        (lambda t: t["spec"]["containers"][0].update(image="mirror/x:v1"), "spec.containers[app].image is changed"),
        (lambda t: t["spec"]["containers"][0].pop("ports"), "spec.containers[app].ports is removed"),
        (lambda t: t["metadata"].update(annotations={"injected": "yes"}), "metadata.annotations is added"),
    ],
)
def test_what_admission_changes_is_named_without_values(change: Callable[[Any], object], words: str) -> None:
    said = undo.changed(PLAN.restoring, answer(mutated(change)))
    assert words in said
    assert "s3cret" not in said and "mirror" not in said


def test_an_old_colour_that_admission_would_change_with_its_replicas_is_not_scaled_and_other_steps_are_left_alone() -> (
    None
):
    scaling = replace(PLAN.restoring, kind=StepKind.SCALE_UP, precondition=GOOD.digest, goal="3", body="0")
    with_annotation = answer(mutated(lambda t: t["metadata"].update(annotations={"injected": "yes"})))
    assert undo.changed(scaling, answer(OLD)) == ""
    assert "scaled, translation would not have the template that served" in undo.changed(scaling, with_annotation)
    for kind in (StepKind.SCALE_DOWN, StepKind.SCALE_BACK, StepKind.RESTORE_MANAGERS):
        assert undo.changed(replace(scaling, kind=kind), with_annotation) == ""
    service = Applied(at=START, generation=0)
    assert undo.changed(replace(scaling, kind=StepKind.SWITCH), service) == ""


def test_of_many_changes_a_few_are_named() -> None:
    labels = mutated(lambda t: t["metadata"]["labels"].update({f"l{n}": "x" for n in range(5)}))
    assert undo.changed(PLAN.restoring, answer(labels)).count("is added") == 3
    assert "and 2 more" in undo.changed(PLAN.restoring, answer(labels))


def test_a_restored_template_that_is_not_there_as_written_is_no_newer_change_of_a_person() -> None:
    server = Server()
    first = undo.next(PLAN, {REF: server.found()}, START, frozen="")
    assert isinstance(first, undo.Send)
    assert server.send(first.write.patch)
    after = replace(server.found(), template_digest=template_of(FIXED).digest)
    assert BAD.digest != after.template_digest
    over = undo.next(PLAN, {REF: after}, START, frozen="")
    assert isinstance(over, undo.Supersede)
    assert "not there as it was written" in over.reason

"""A release set goes back as a whole: what its plan does, in which order, and what it never does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollguard import undo
from rollguard.loop import changes
from rollguard.model.action import StepKind, StepState, Unknown
from tests.unit.records import START
from tests.unit.undo.colours import (
    IDLE,
    NEEDED,
    Cluster,
    Run,
    planned,
    raw_template,
    ref,
    run,
    scaler_ref,
    service_ref,
    stage,
)

AUTOSCALED = frozenset({"backend-blue"})


def halfway() -> Run:
    """The backend's Service is switched and served, the frontend's is not yet."""
    at = run(Cluster())
    at.until(StepKind.SWITCH)
    at.go()
    at.go()
    assert (at.cluster.colour("backend"), at.cluster.colour("frontend")) == ("blue", "green")
    at.cluster.settle()
    return at


def switched() -> Run:
    """All Services are switched, and green drains."""
    at = run(Cluster(autoscaled=AUTOSCALED))
    while at.states(StepKind.SWITCH) != ["done", "done"]:
        at.turns(seconds=0.1)
    return at


# --- the whole way ---


@pytest.mark.parametrize("autoscaled", [frozenset(), AUTOSCALED], ids=["no autoscaler", "an autoscaler"])
def test_everything_is_back_and_as_it_was(autoscaled: frozenset[str]) -> None:
    cluster = Cluster(autoscaled=autoscaled)
    at = run(cluster)
    at.turns(200)
    assert at.over == "finished"
    for member in cluster.members:
        assert cluster.replicas(f"{member}-blue") == NEEDED
        assert cluster.replicas(f"{member}-green") == 0
    assert (cluster.colour("backend"), cluster.colour("frontend")) == ("blue", "blue")
    if autoscaled:
        assert cluster.minimum("backend-blue") == 2
    assert len(cluster.sent) == len(set(cluster.sent)), "a step took effect twice"
    assert undo.progress(at.plan, cluster.facts()) == undo.Restored()
    assert undo.caveat(at.plan, at.record) == ""


def test_all_steps_of_a_kind_come_before_the_next() -> None:
    at = run(Cluster(autoscaled=AUTOSCALED))
    at.turns(200)
    order = [StepKind.RAISE_MINIMUM, StepKind.SCALE_UP, StepKind.SWITCH, StepKind.SCALE_DOWN, StepKind.RESTORE_MINIMUM]
    kinds = {f"{at.plan.id}/{step.n}": step.kind for step in at.plan.steps}
    done = [kinds[receipt] for receipt in at.cluster.sent]
    assert done == sorted(done, key=order.index)
    assert set(done) == set(order)


def test_nothing_is_switched_before_every_old_colour_has_its_pods() -> None:
    at = run(Cluster())
    at.cluster.stuck["workers-blue"] = ""
    at.turns(100)
    assert at.cluster.replicas("workers-blue") == NEEDED
    assert at.states(StepKind.SWITCH) == ["pending", "pending"]
    assert isinstance(at.ask(), undo.Wait)
    at.cluster.stuck.clear()
    at.turns(100)
    assert at.over == "finished"


def test_every_service_is_switched_before_the_first_one_is_waited_for() -> None:
    at = run(Cluster())
    at.until(StepKind.SWITCH)
    for _ in range(4):
        at.go()  # marked and sent, twice; the endpoints are behind all the time
    assert (at.cluster.colour("backend"), at.cluster.colour("frontend")) == ("blue", "blue")
    assert at.states(StepKind.SWITCH) == ["trying", "trying"]
    assert isinstance(at.go(), undo.Wait)
    at.cluster.settle()
    at.go()
    assert at.states(StepKind.SWITCH) == ["done", "trying"]


def test_the_bad_colour_keeps_its_pods_until_its_connections_have_drained() -> None:
    at = switched()
    began = at.now
    while at.states(StepKind.SCALE_DOWN)[0] == "pending":
        assert at.cluster.replicas("backend-green") == NEEDED
        at.turns(seconds=0.5)
    assert 29 <= at.now.since(began) <= 31


def test_workers_alone_are_exchanged_without_a_drain() -> None:
    at = run(Cluster(members=("workers",)))
    at.turns(20)
    assert at.over == "finished"
    assert at.now.since(START) < 10


def test_workers_alone_that_may_not_be_ended_are_not_half_back() -> None:
    at = run(Cluster(members=("workers",)))
    step = at.until(StepKind.SCALE_DOWN, StepState.TRYING)
    answer = undo.refused(at.plan, step, "no", at.cluster.readings(at.plan), at.now)
    assert isinstance(answer, undo.Wait)
    assert answer.half == "nothing is ended: workers-green is not yet at 0, because no"
    at.cluster.release("workers-green")
    at.turns(5)
    assert at.over == "finished", "a newer release stays as it is"


def test_workers_alone_whose_plan_was_given_up_before_their_end_do_not_rest_half_back() -> None:
    at = run(Cluster(members=("workers",)))
    at.until(StepKind.SCALE_DOWN)
    at.cluster.release("workers-green")
    at.turns(5)
    assert "the template of workers-green was changed since it was judged" in at.over
    assert not undo.stopped(at.plan)


def test_one_member_goes_back_alone_where_a_person_asks_for_it_and_is_warned() -> None:
    at = run(Cluster(), only="frontend")
    at.turns(100)
    assert at.over == "finished"
    assert (at.cluster.colour("backend"), at.cluster.colour("frontend")) == ("green", "blue")
    assert at.cluster.replicas("backend-green") == NEEDED
    warning = undo.caveat(at.plan, at.record)
    assert "Warning: only frontend went back" in warning
    assert "backend on green" in warning
    assert undo.undone(at.plan, at.record) == (at.record.passages[1].new.digest,)


def test_what_is_so_already_is_not_written() -> None:
    cluster = Cluster()
    cluster.scale("backend-blue", NEEDED)
    cluster.settle()
    at = run(cluster)
    cluster.select("frontend", "blue")
    at.turns(200)
    assert at.over == "finished"
    assert not [r for r in cluster.sent if r in (cluster.receipt(service_ref("frontend")), "dubbing-s1.1/1")]
    assert "somebody else had already switched it" in at.plan.steps[4].detail


# --- before the first switch: all or none ---


def raised(cluster: Cluster) -> Run:
    """Capacity is asked for everywhere, and not yet there."""
    at = run(cluster)
    while at.states(StepKind.SCALE_UP) != ["trying"] * 3:
        at.go()
    for _ in range(3):
        at.go()
    assert cluster.replicas("workers-blue") == NEEDED
    return at


def as_before(at: Run) -> None:
    """Nothing was switched, and what was raised is what it was."""
    cluster = at.cluster
    assert (cluster.colour("backend"), cluster.colour("frontend")) == ("green", "green")
    assert cluster.replicas("frontend-blue") == cluster.replicas("workers-blue") == IDLE
    assert cluster.replicas("backend-green") == NEEDED
    if cluster.autoscaled:
        assert cluster.minimum("backend-blue") == 2


def test_an_image_that_is_gone_ends_the_plan_with_what_the_pods_say_and_what_to_do() -> None:
    at = run(Cluster(autoscaled=AUTOSCALED))
    at.cluster.stuck["workers-blue"] = "ImagePullBackOff"
    at.turns(100)
    assert "app: ImagePullBackOff: manifest unknown (2 pods)" in at.over
    assert "describe pods" in at.over
    assert at.now.since(START) < 45
    as_before(at)


def test_pods_that_are_only_slow_have_a_third_of_the_plans_time() -> None:
    at = run(Cluster())
    at.cluster.stuck["workers-blue"] = ""
    at.turns(290)
    assert not at.over
    at.turns(30)
    assert at.over.startswith("2 of 4 pods of workers-blue are ready after 30")
    as_before(at)


def test_something_that_sets_the_minimum_back_ends_the_plan_with_the_reason() -> None:
    at = raised(Cluster(autoscaled=AUTOSCALED))
    at.cluster.change(scaler_ref("backend-blue"), "minReplicas", 2)
    at.cluster.settle()
    at.turns(100)
    assert "something set the minReplicas of backend-blue-hpa back to 2 after it was raised to 4" in at.over
    as_before(at)


def test_a_minimum_that_is_set_back_before_the_next_look_at_it_is_found_too() -> None:
    at = run(Cluster(autoscaled=AUTOSCALED))
    at.until(StepKind.RAISE_MINIMUM, StepState.TRYING)
    at.go()
    at.cluster.change(scaler_ref("backend-blue"), "minReplicas", 2)
    at.turns(100)
    assert "raise it where it is kept" in at.over
    as_before(at)


@pytest.mark.parametrize("colour", ["blue", "red"])
def test_replicas_that_something_sets_back_end_the_plan(colour: str) -> None:
    at = raised(Cluster())
    if colour == "blue":
        at.cluster.scale("frontend-blue", IDLE)
        at.turns(100)
        assert "something set the replicas of frontend-blue back to 2" in at.over
    else:
        at.cluster.select("frontend", "red")
        at.cluster.settle()
        at.turns(100)
        assert "frontend-service selects red now: a newer change is never overwritten" in at.over
        at.cluster.select("frontend", "green")
    as_before(at)


def test_a_next_version_put_into_the_old_colour_ends_the_plan() -> None:
    at = raised(Cluster())
    at.cluster.release("frontend-blue")
    at.turns(100)
    assert "the template of frontend-blue was changed since it served" in at.over
    assert at.cluster.colour("backend") == "green"


def test_a_newer_release_in_the_bad_colour_before_the_first_switch_ends_the_plan() -> None:
    at = raised(Cluster())
    at.cluster.release("frontend-green")
    at.turns(100)
    assert "the template of frontend-green was changed since it was judged" in at.over
    as_before(at)


def test_a_paused_old_colour_ends_the_plan() -> None:
    at = raised(Cluster())
    at.cluster.change(ref("backend-blue"), "paused", True)
    at.turns(100)
    assert "backend-blue was paused: `kubectl rollout resume" in at.over
    as_before(at)


@pytest.mark.parametrize("gone", [ref("backend-blue"), scaler_ref("backend-blue"), service_ref("frontend")])
def test_an_object_that_is_deleted_ends_the_plan(gone: object) -> None:
    at = raised(Cluster(autoscaled=AUTOSCALED))
    at.cluster.delete(next(each for each in at.cluster.objects if each == gone))
    at.turns(100)
    assert "was deleted" in at.over
    assert at.cluster.colour("backend") == "green"


def test_a_freeze_before_the_first_switch_stops_without_another_write() -> None:
    at = raised(Cluster(autoscaled=AUTOSCALED))
    sent = len(at.cluster.sent)
    at.frozen = "by ana until noon: launch"
    at.turns(100)
    assert at.over.startswith("frozen: by ana until noon: launch; left undone: set the minimum of backend-blue-hpa")
    assert len(at.cluster.sent) == sent
    assert at.cluster.colour("backend") == "green"


def test_a_plan_that_expires_before_the_first_switch_stops_without_another_write() -> None:
    at = raised(Cluster(autoscaled=AUTOSCALED))
    at.until(StepKind.SWITCH)
    sent = len(at.cluster.sent)
    at.now = at.plan.expires
    at.turns(100)
    assert at.over.startswith("the plan expired at")
    assert "left undone: scale frontend-blue back to 2" in at.over
    assert len(at.cluster.sent) == sent


def test_a_refusal_before_the_first_switch_takes_back_what_was_raised() -> None:
    at = run(Cluster(autoscaled=AUTOSCALED))
    step = at.until(StepKind.SCALE_UP, StepState.TRYING)
    answer = undo.refused(at.plan, step, "quota exceeded", at.cluster.readings(at.plan), at.now)
    assert isinstance(answer, undo.Abandon)
    at.record = changes.with_abandoned_plan(at.record, at.plan, answer, at.now)
    at.turns(100)
    assert at.over == "quota exceeded"
    as_before(at)


def refused_first_switch(seconds: float, *, sure: bool = True, passing: bool = False) -> tuple[Run, undo.Next]:
    """The first switch was tried and is refused since so many seconds; what follows."""
    at = run(Cluster(autoscaled=AUTOSCALED))
    step = at.until(StepKind.SWITCH, StepState.TRYING)
    since = at.now.plus(-seconds)
    refusals = undo.Refusals(plan=at.plan.id, step=step.n, since=since, sure=sure, passing=passing)
    return at, undo.refused(at.plan, step, "no", at.cluster.readings(at.plan), at.now, refusals=refusals)


def test_a_first_switch_that_is_always_refused_has_switched_nothing_and_is_taken_back_with_what_to_do() -> None:
    _, answer = refused_first_switch(9)
    assert isinstance(answer, undo.Wait)
    assert not answer.half
    at, answer = refused_first_switch(10)
    assert isinstance(answer, undo.Abandon)
    assert answer.reason == "no, for 10 s: have it allowed, then roll back again, or fix green forward"
    at.record = changes.with_abandoned_plan(at.record, at.plan, answer, at.now)
    at.turns(100)
    assert at.over == answer.reason
    as_before(at)


def test_a_first_switch_of_which_an_answer_is_missing_may_have_arrived() -> None:
    _, answer = refused_first_switch(100, sure=False)
    assert isinstance(answer, undo.Wait)
    assert answer.half.startswith("nothing is switched: backend-service still green")


def test_a_right_that_a_server_which_has_just_started_does_not_know_is_waited_for_a_minute() -> None:
    _, answer = refused_first_switch(59, passing=True)
    assert isinstance(answer, undo.Wait)
    assert not answer.half
    assert isinstance(refused_first_switch(60, passing=True)[1], undo.Abandon)


def test_a_refusal_beside_a_service_that_a_person_switched_is_a_half_state() -> None:
    at = run(Cluster())
    step = at.until(StepKind.SWITCH, StepState.TRYING)
    at.cluster.select("frontend", "blue")
    refusals = undo.Refusals(plan=at.plan.id, step=step.n, since=START, sure=True)
    answer = undo.refused(at.plan, step, "no", at.cluster.readings(at.plan), at.now, refusals=refusals)
    assert isinstance(answer, undo.Wait)
    assert answer.half == "half back: backend-service still green, frontend-service serves blue, because no"


def test_a_refusal_beside_a_service_that_was_not_read_gives_nothing_up() -> None:
    at = run(Cluster())
    step = at.until(StepKind.SWITCH, StepState.TRYING)
    unread = {ref: found for ref, found in at.cluster.readings(at.plan).items() if ref.name != "frontend-service"}
    refusals = undo.Refusals(plan=at.plan.id, step=step.n, since=at.now.plus(-100), sure=True)
    answer = undo.refused(at.plan, step, "no", unread, at.now, refusals=refusals)
    assert isinstance(answer, undo.Wait)
    assert answer.half == (
        "what serves is not seen: backend-service still green, frontend-service is unknown, because no"
    )
    assert undo.tells_half(answer.half)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (halfway, "half back: backend-service serves blue, frontend-service is gone, because Service production/"),
        (switched, "half back: backend-service serves blue, frontend-service is gone, backend-green is not yet at 0"),
    ],
    ids=["half", "drain"],
)
def test_a_service_that_is_deleted_is_told_as_gone(before: Callable[[], Run], words: str) -> None:
    at = before()
    at.cluster.delete(service_ref("frontend"))
    at.turns(10)
    assert at.over.startswith(words)
    assert at.over.endswith("because Service production/frontend-service was deleted")


def test_a_service_that_does_not_answer_is_not_said_to_serve() -> None:
    at = halfway()
    silent = {**at.cluster.readings(at.plan), service_ref("frontend"): Unknown(detail="no answer")}
    assert "frontend-service is unknown" in undo.half_back(at.plan, silent, "frozen")
    at.turns(2)
    silent[service_ref("backend")] = Unknown(detail="no answer")
    assert undo.half_back(at.plan, silent, "frozen").startswith("half back: backend-service is unknown")


def test_a_request_to_raise_that_arrives_after_it_was_taken_back_changes_nothing() -> None:
    at = run(Cluster(autoscaled=AUTOSCALED))
    at.until(StepKind.RAISE_MINIMUM, StepState.TRYING)
    at.go("delayed")
    at.cluster.change(ref("backend-blue"), "paused", True)
    at.cluster.select("frontend", "red")
    at.now = at.now.plus(0.1)
    step = at.plan.steps[0]
    answer = undo.refused(at.plan, step, "the write guard failed 6 times", at.cluster.readings(at.plan), at.now)
    assert isinstance(answer, undo.Abandon)
    at.record = changes.with_abandoned_plan(at.record, at.plan, answer, at.now)
    at.turns(100)
    assert at.over
    assert not at.cluster.send(*at.under_way[0])
    assert at.cluster.minimum("backend-blue") == 2


def test_what_a_person_set_meanwhile_is_not_taken_back() -> None:
    at = raised(Cluster(autoscaled=AUTOSCALED))
    at.cluster.change(scaler_ref("backend-blue"), "minReplicas", 7)
    at.cluster.scale("workers-blue", 9)
    at.cluster.release("frontend-blue")
    at.turns(100)
    assert at.cluster.minimum("backend-blue") == 7
    assert at.cluster.replicas("workers-blue") == 9
    assert "somebody else set the minReplicas of backend-blue-hpa to 7" in at.over


# --- after the first switch: forward only ---


def test_a_refusal_after_the_first_switch_is_a_named_half_state_that_is_pushed_forward() -> None:
    at = halfway()
    step = at.until(StepKind.SWITCH, StepState.TRYING)
    readings = at.cluster.readings(at.plan)
    answer = undo.refused(at.plan, step, "admission: no", readings, at.now)
    assert isinstance(answer, undo.Wait)
    assert answer.half == "half back: backend-service serves blue, frontend-service still green, because admission: no"
    at.turns(100)
    assert at.over == "finished"


def test_a_service_whose_endpoints_stay_empty_is_told_after_a_minute() -> None:
    at = halfway()
    at.cluster.stuck["frontend-blue"] = ""
    at.cluster.ready[ref("frontend-blue")] = 0
    at.turns(55)
    assert at.half == []
    at.turns(30)
    assert at.half
    assert "frontend-service still green" in at.half[-1]
    assert at.cluster.colour("frontend") == "green", "it was switched to a colour without ready pods"
    at.cluster.stuck.clear()
    at.turns(100)
    assert at.over == "finished"


def test_a_switch_that_was_tried_is_gone_on_with_where_the_old_colour_is_not_ready_for_a_while() -> None:
    at = run(Cluster(autoscaled=AUTOSCALED))
    before = at.cluster.minimum("backend-blue")
    at.until(StepKind.SWITCH, StepState.TRYING)
    at.now = at.plan.expires.plus(-100)
    at.cluster.stuck["backend-blue"] = ""
    at.cluster.ready[ref("backend-blue")] = 0
    at.turns(5)
    assert at.over == ""
    assert at.cluster.colour("backend") == "green"
    at.cluster.stuck.clear()
    at.turns(100)
    assert at.over == "finished"
    assert at.cluster.minimum("backend-blue") == before, "a raised minimum was left behind"


def test_a_newer_release_that_comes_as_the_first_switch_is_about_to_leave_is_not_switched_away() -> None:
    at = run(Cluster())
    at.until(StepKind.SWITCH, StepState.TRYING)
    at.cluster.release("backend-green")
    at.turns(5)
    assert at.over.startswith("nothing is switched: ")
    assert "the template of backend-green was changed since it was judged" in at.over
    assert (at.cluster.colour("backend"), at.cluster.colour("frontend")) == ("green", "green")


def test_an_old_colour_that_is_deleted_as_it_is_switched_to_is_not_waited_for() -> None:
    at = run(Cluster())
    at.until(StepKind.SWITCH, StepState.TRYING)
    at.go()
    at.cluster.delete(ref("backend-blue"))
    at.cluster.ready[ref("backend-blue")] = 0
    at.turns(5)
    assert (
        "backend-service selects blue, and nothing serves it: Deployment production/backend-blue was deleted" in at.over
    )


def test_an_expired_plan_is_followed_by_one_with_the_steps_that_are_left() -> None:
    at = halfway()
    at.now = at.plan.expires
    at.turns(100)
    assert at.over == "finished"
    assert at.plan.id == "dubbing-s1.2"
    assert at.half[0].startswith("half back: backend-service serves blue, frontend-service still green, because the")
    assert at.cluster.replicas("backend-green") == 0


def test_the_receipts_of_the_plan_before_it_still_count() -> None:
    at = halfway()
    at.cluster.endpoints[service_ref("backend")] = "green"
    at.now = at.plan.expires
    at.go()
    assert at.plan.id == "dubbing-s1.2"
    at.cluster.select("backend", "green")
    at.turns(5)
    assert "backend-service was switched back to green by somebody" in at.over
    assert (at.cluster.colour("backend"), at.cluster.colour("frontend")) == ("green", "green")


def test_a_switch_that_is_done_and_taken_back_by_a_person_keeps_the_others_from_being_switched() -> None:
    at = halfway()
    at.go()
    assert at.states(StepKind.SWITCH) == ["done", "pending"]
    at.cluster.select("backend", "green")
    at.turns(5)
    assert "backend-service was switched to green since" in at.over
    assert (at.cluster.colour("backend"), at.cluster.colour("frontend")) == ("green", "green")


@pytest.mark.parametrize("state", ["half", "drain"])
def test_a_freeze_in_the_half_state_stops_there_and_names_it(state: str) -> None:
    at = halfway() if state == "half" else switched()
    sent = len(at.cluster.sent)
    at.frozen = "by ana: launch"
    at.turns(10)
    assert at.over.startswith("half back: backend-service serves blue")
    assert at.over.endswith("because frozen: by ana: launch")
    assert len(at.cluster.sent) == sent


def test_a_switch_that_may_still_arrive_leaves_the_old_colour_its_pods() -> None:
    at = run(Cluster())
    at.until(StepKind.SWITCH, StepState.TRYING)
    at.go("delayed")
    at.frozen = "by ana: launch"
    at.turns(10)
    assert at.over.startswith("nothing is switched: backend-service still green, frontend-service still green, because")
    assert at.cluster.send(*at.under_way[0])
    at.cluster.settle()
    assert (at.cluster.colour("backend"), at.cluster.ready[ref("backend-blue")]) == ("blue", NEEDED)


def test_a_service_that_a_person_switches_to_green_again_is_never_overwritten() -> None:
    at = halfway()
    at.cluster.select("backend", "green")
    at.turns(10)
    assert "backend-service was switched back to green by somebody" in at.over
    assert at.over.startswith(
        "nothing is switched any more: backend-service green again, frontend-service still green, because"
    )
    assert (at.cluster.colour("backend"), at.cluster.colour("frontend")) == ("green", "green")


@pytest.mark.parametrize("colour", ["green", "red"])
def test_the_bad_colour_is_not_ended_while_a_service_may_need_it(colour: str) -> None:
    at = switched()
    at.cluster.select("backend", colour)
    at.turns(100)
    assert f"backend-service was switched to {colour} since" in at.over
    assert at.cluster.replicas("backend-green") == NEEDED


def test_the_bad_colour_is_not_ended_while_the_old_one_has_no_ready_pods() -> None:
    at = switched()
    at.cluster.stuck["backend-blue"] = ""
    at.cluster.ready[ref("backend-blue")] = 0
    at.turns(60)
    assert at.cluster.replicas("backend-green") == NEEDED
    at.turns(100)
    assert "0 of 4 pods of backend-blue are ready" in at.half[-1]


def test_a_newer_release_in_the_bad_colour_is_left_as_it_is_and_told() -> None:
    at = switched()
    at.cluster.release("backend-green")
    at.turns(100)
    assert at.over == "finished"
    assert at.cluster.replicas("backend-green") == NEEDED
    assert at.cluster.replicas("frontend-green") == 0
    assert "Left undone: scale backend-green down to 0" in undo.caveat(at.plan, at.record)
    assert undo.progress(at.plan, at.cluster.facts()) == undo.Restored()


def test_a_set_whose_services_somebody_switched_again_is_not_called_half_back() -> None:
    at = switched()
    for member in ("backend", "frontend"):
        at.cluster.select(member, "green")
    at.turns(100)
    assert at.over.startswith(
        "nothing is switched any more: backend-service green again, frontend-service green again, the minimum of"
    )


def test_a_paused_bad_colour_stops_it_there() -> None:
    at = switched()
    at.cluster.change(ref("frontend-green"), "paused", True)
    at.turns(100)
    assert "frontend-green was paused" in at.over
    assert at.over.startswith("half back: ")


def test_a_bad_colour_that_is_scaled_up_again_afterwards_is_left_to_whoever_did_it() -> None:
    at = switched()
    at.until(StepKind.SCALE_DOWN, StepState.TRYING)
    at.go()
    at.cluster.scale("backend-green", 1)
    at.turns(100)
    assert at.over == "finished"
    assert at.cluster.replicas("backend-green") == 1


@pytest.mark.parametrize("minimum", [2, 3, 7])
def test_a_minimum_that_somebody_set_is_left_so_and_told(minimum: int) -> None:
    at = switched()
    at.cluster.change(scaler_ref("backend-blue"), "minReplicas", minimum)
    at.turns(100)
    assert at.over == "finished"
    assert at.cluster.minimum("backend-blue") == minimum
    assert ("Left undone" in undo.caveat(at.plan, at.record)) is (minimum != 2)


def test_a_minimum_that_was_high_enough_by_somebodys_own_hand_is_not_lowered() -> None:
    at = run(Cluster(autoscaled=AUTOSCALED))
    at.cluster.change(scaler_ref("backend-blue"), "minReplicas", NEEDED)
    at.turns(200)
    assert at.over == "finished"
    assert at.cluster.minimum("backend-blue") == NEEDED


# --- the server is asked in advance ---


def test_every_write_is_tried_before_the_plan_is_stored_on_what_is_there_now() -> None:
    cluster = Cluster(autoscaled=AUTOSCALED)
    plan = planned(cluster)
    readings = {step.target: cluster.read(step.target) for step in plan.steps}
    trials = undo.trials(plan, readings, START)
    assert not isinstance(trials, undo.Refused)
    assert [step.n for step, _ in trials] == [step.n for step in plan.steps]
    for step, write in trials:
        fresh = Cluster(autoscaled=AUTOSCALED)
        assert fresh.send(write.ref, write.patch), step.words


def test_an_object_that_is_gone_is_found_before_the_plan_is_stored() -> None:
    cluster = Cluster()
    plan = planned(cluster)
    cluster.delete(service_ref("backend"))
    readings = {step.target: cluster.read(step.target) for step in plan.steps}
    trials = undo.trials(plan, readings, START)
    assert trials == undo.Refused(reason="Service production/backend-service was deleted")


def test_an_autoscaler_that_sleeps_is_told_when_the_plan_is_made() -> None:
    cluster = Cluster(autoscaled=AUTOSCALED)
    cluster.scale("backend-blue", 0)
    cluster.settle()
    assert "backend-blue is at 0, so its autoscaler backend-blue-hpa is disabled" in undo.remarks(
        planned(cluster), stage(cluster).facts
    )
    at = run(cluster)
    at.turns(200)
    assert at.over == "finished"


# --- whatever happens in between ---

PEOPLE = (
    "switch backend to green",
    "switch frontend to blue",
    "switch frontend to red",
    "scale workers-blue",
    "scale backend-green",
    "release backend-blue",
    "release frontend-green",
    "set the minimum back",
    "raise the minimum",
    "pause frontend-blue",
    "lose pods of backend-blue",
    "freeze",
    "release the freeze",
)
OTHERS = ("settle", "late delivery", "minute", "expire")
GOES = ("answered", "lost on the way", "lost on the way back", "delayed")


class Story:
    """A run that people and the network meddle with. What people set is remembered: nobody may overwrite it."""

    def __init__(self, turns: int) -> None:
        self.cluster = Cluster(autoscaled=AUTOSCALED)
        self.at = run(self.cluster)
        self.at.turns(turns)

    def play(self, line: str) -> None:
        """One line."""
        cluster, at = self.cluster, self.at
        match line.split():
            case ["switch", member, "to", colour]:
                cluster.select(member, colour)
            case ["scale", name]:
                cluster.scale(name, 3)
            case ["release", "the", "freeze"]:
                at.frozen = ""
            case ["release", name]:
                cluster.release(name)
            case ["set", "the", "minimum", "back"]:
                cluster.change(scaler_ref("backend-blue"), "minReplicas", 2)
            case ["raise", "the", "minimum"]:
                cluster.change(scaler_ref("backend-blue"), "minReplicas", 7)
            case ["pause", name]:
                cluster.change(ref(name), "paused", True)
            case ["lose", "pods", "of", name]:
                cluster.ready[ref(name)] = 0
            case ["freeze"]:
                at.frozen = "by ana: launch"
            case ["settle"]:
                cluster.settle()
            case ["minute"]:
                at.now = at.now.plus(60)
            case ["expire"]:
                at.now = max(at.now, at.plan.expires)
            case ["late", "delivery"]:
                if at.under_way:
                    self.checked(lambda: cluster.send(*at.under_way.pop(0)))
            case _:
                if not at.over:
                    self.checked(lambda: at.go(line))

    def checked(self, act: Callable[[], object]) -> None:
        """What the guard does, and what it must not have done."""
        cluster, at = self.cluster, self.at
        before = {member: cluster.colour(member) for member in ("backend", "frontend")}
        replicas = {f"{m}-green": cluster.replicas(f"{m}-green") for m in cluster.members}
        templates = {each: cluster.spec(each).get("template") for each in cluster.objects}
        frozen, expired, sent = at.frozen, at.now >= at.plan.expires, len(cluster.sent)
        answer = act()
        for member, colour in before.items():
            if cluster.colour(member) != colour:
                assert (colour, cluster.colour(member)) == ("green", "blue")
        for name, had in replicas.items():
            if cluster.replicas(name) != had:
                assert cluster.replicas(name) == 0
                member = name.removesuffix("-green")
                assert member == "workers" or before[member] == "blue", "a colour that serves was ended"
                assert templates[ref(name)] == raw_template(name, "v2"), "a newer release was ended"
        assert templates == {each: cluster.spec(each).get("template") for each in cluster.objects}
        if isinstance(answer, undo.Send) and len(cluster.sent) > sent:
            assert not frozen
            assert not expired
            if answer.step.kind is StepKind.SWITCH:
                assert cluster.ready[ref(f"{answer.step.member}-blue")], "switched to a colour without ready pods"
        assert len(cluster.sent) == len(set(cluster.sent)), "a step took effect twice"


BEGUN = st.integers(0, 65)
"""Turns without trouble, which lead to any step of the plan."""


@settings(max_examples=200, deadline=None)
@given(BEGUN, st.lists(st.sampled_from((*GOES, *GOES, *GOES, *OTHERS, *PEOPLE)), max_size=20))
def test_whatever_happens_no_newer_change_is_overwritten_and_no_step_takes_effect_twice(
    turns: int, story: list[str]
) -> None:
    played = Story(turns)
    for line in story:
        played.play(line)


@settings(max_examples=100, deadline=None)
@given(BEGUN, st.lists(st.sampled_from((*GOES, *OTHERS)), max_size=20))
def test_once_faults_stop_the_set_is_back_or_as_it_was(turns: int, story: list[str]) -> None:
    played = Story(turns)
    for line in story:
        played.play(line)
    cluster, at = played.cluster, played.at
    at.turns(400)
    assert at.over
    if at.over == "finished":
        assert (cluster.colour("backend"), cluster.colour("frontend")) == ("blue", "blue")
        assert [cluster.replicas(f"{member}-green") for member in cluster.members] == [0, 0, 0]
    else:
        assert (cluster.colour("backend"), cluster.colour("frontend")) == ("green", "green")
    if "left undone" not in at.over and "Left undone" not in undo.caveat(at.plan, at.record):
        assert cluster.minimum("backend-blue") == 2

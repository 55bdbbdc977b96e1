"""When a release set can go back at all, how far it is, and what a person may order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rollguard import undo
from rollguard.model.action import Standing, StepKind, Target
from rollguard.model.facts import ClusterEvent, Condition
from rollguard.model.names import WorkloadKind
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.model.situation import Situation
from rollguard.undo.half import steps_of
from tests.unit.records import START
from tests.unit.undo.colours import (
    IDLE,
    NEEDED,
    Cluster,
    good,
    named,
    planned,
    ref,
    run,
    scaler_ref,
    service_ref,
    stage,
    step_of,
)

AUTOSCALED = frozenset({"backend-blue"})
ORDER = HumanRequest(id="r1", kind=RequestKind.ROLLBACK, actor="ana", at=START, reason="customers call")


def refusal(situation: Situation, *, only: str = "") -> str:
    made = undo.plan_set(situation, id="p.1", epoch=1, reason="bad", actor="rollguard", now=START, only=only)
    assert isinstance(made, undo.Refused), made
    return made.reason


def ordered(situation: Situation, request: HumanRequest, *standings: Standing) -> Target | undo.Refused:
    return undo.manual(situation, request, standings, START)


def refused(situation: Situation, request: HumanRequest, *standings: Standing) -> str:
    answer = ordered(situation, request, *standings)
    assert isinstance(answer, undo.Refused)
    return answer.reason


# --- the plan ---


def test_the_plan_says_for_each_member_what_is_done_in_which_order() -> None:
    plan = planned(Cluster(autoscaled=AUTOSCALED))
    assert [step.words for step in plan.steps] == [
        "raise the minimum of backend-blue-hpa to 4",
        "scale backend-blue up to 4",
        "scale frontend-blue up to 4",
        "scale workers-blue up to 4",
        "switch backend-service to blue",
        "switch frontend-service to blue",
        "scale backend-green down to 0",
        "scale frontend-green down to 0",
        "scale workers-green down to 0",
        "set the minimum of backend-blue-hpa back to 2",
        "scale frontend-blue back to 2",
        "scale workers-blue back to 2",
    ]
    assert [step.n for step in plan.steps] == list(range(1, 13))
    assert (plan.target.colour, plan.target.workload, plan.target.judged) == ("blue", "backend-blue", True)
    assert (plan.target.order, plan.target.state) == ("switch back to blue", "blue serves again")
    assert (plan.expires, plan.drain) == (START.plus(900), 30.0)


def test_only_the_members_that_changed_are_moved() -> None:
    situation = stage(Cluster())
    one = replace(situation, rollout=replace(situation.rollout, passages=situation.rollout.passages[:1]))
    plan = undo.plan_set(one, id="p.1", epoch=1, reason="bad", actor="rollguard", now=START)
    assert not isinstance(plan, undo.Refused)
    assert {step.member for step in plan.steps} == {"backend"}


def test_a_member_that_did_not_change_cannot_go_back_alone() -> None:
    reason = refusal(stage(Cluster()), only="gateway")
    assert reason == "gateway did not change in this rollout; it changed: backend, frontend, workers"


def test_a_bad_colour_that_is_gone_needs_no_end() -> None:
    cluster = Cluster()
    cluster.delete(ref("backend-green"))
    assert "backend" not in {step.member for step in steps_of(planned(cluster), StepKind.SCALE_DOWN)}


@pytest.mark.parametrize(
    ("minimum", "maximum", "owner", "ready", "raises"),
    [
        (2, 10, "", 2, True),
        (2, 10, "", NEEDED, True),
        (NEEDED, 10, "", 2, False),
        (2, 3, "", NEEDED, False),
        (2, 10, "ScaledObject/backend", NEEDED, False),
    ],
    ids=["too few", "enough now", "high enough", "cannot be raised", "kept by KEDA"],
)
def test_an_autoscaler_is_raised_where_it_would_leave_too_few_pods(
    minimum: int, maximum: int, owner: str, ready: int, raises: bool
) -> None:
    cluster = Cluster(autoscaled=AUTOSCALED, owner=owner)
    cluster.change(scaler_ref("backend-blue"), "minReplicas", minimum)
    cluster.change(scaler_ref("backend-blue"), "maxReplicas", maximum)
    cluster.scale("backend-blue", ready)
    cluster.settle()
    assert bool(steps_of(planned(cluster), StepKind.RAISE_MINIMUM)) is raises


# --- when there is none ---


def test_a_next_version_in_the_old_colour_is_refused_with_what_to_do() -> None:
    cluster = Cluster()
    cluster.release("backend-blue")
    reason = refusal(stage(cluster))
    assert "backend-blue has another template than when it served (backend:v3 now, backend:v1 then)" in reason
    assert "rollout undo deployment/backend-blue --to-revision=1" in reason
    assert "fix green forward" in reason


def test_an_old_colour_that_is_gone_or_made_anew_or_paused_is_refused() -> None:
    cluster = Cluster()
    cluster.delete(ref("backend-blue"))
    assert refusal(stage(cluster)).startswith("backend-blue was deleted: there is no blue of backend to go back to")
    situation = stage(Cluster())
    members = tuple(
        replace(member, uid="new") if member.name == named("backend-blue") else member
        for member in situation.facts.members
    )
    assert "deleted and made anew" in refusal(replace(situation, facts=replace(situation.facts, members=members)))
    cluster = Cluster()
    cluster.change(ref("workers-blue"), "paused", True)
    assert "workers-blue is paused: resume it with `kubectl rollout resume" in refusal(stage(cluster))


def test_a_newer_release_or_selector_is_refused() -> None:
    cluster = Cluster()
    cluster.release("frontend-green")
    assert "the template of frontend-green changed since it was judged" in refusal(stage(cluster))
    cluster = Cluster()
    cluster.select("frontend", "red")
    assert "frontend-service selects red now" in refusal(stage(cluster))
    cluster.delete(service_ref("frontend"))
    assert refusal(stage(cluster)) == "there is no Service frontend-service (any more)"


def test_an_autoscaler_that_would_not_leave_enough_pods_is_refused() -> None:
    cluster = Cluster(autoscaled=AUTOSCALED)
    cluster.change(scaler_ref("backend-blue"), "maxReplicas", 3)
    assert "allows 3 pods, 4 are needed: raise its maxReplicas" in refusal(stage(cluster))
    cluster = Cluster(autoscaled=AUTOSCALED, owner="ScaledObject/backend")
    assert "ScaledObject/backend keeps the minReplicas of the autoscaler" in refusal(stage(cluster))


def test_every_member_that_cannot_go_back_is_named() -> None:
    cluster = Cluster()
    cluster.release("backend-blue")
    cluster.delete(ref("workers-blue"))
    reason = refusal(stage(cluster))
    assert "backend-blue" in reason
    assert "workers-blue" in reason


def test_what_is_not_seen_whole_or_not_in_the_policy_is_refused() -> None:
    situation = stage(Cluster())
    facts = replace(situation.facts, complete=False, missing=("pods",))
    assert refusal(replace(situation, facts=facts)) == "the facts are incomplete: pods"
    watch = replace(situation.watch, release_set=None)
    assert "the policy has no release set dubbing" in refusal(replace(situation, watch=watch))


# --- how far it is ---


def test_a_set_is_back_once_nothing_is_missing() -> None:
    cluster = Cluster(autoscaled=AUTOSCALED)
    plan = planned(cluster)
    missing = undo.progress(plan, cluster.facts())
    assert isinstance(missing, undo.StillRolling)
    for lacks in (
        "backend-service does not select blue yet",
        "2 of 4 pods of backend-blue are ready",
        "backend-green still has 4 replicas",
    ):
        assert lacks in missing.detail
    at = run(cluster)
    at.turns(200)
    assert undo.progress(at.plan, cluster.facts()) == undo.Restored()
    cluster.change(scaler_ref("backend-blue"), "minReplicas", NEEDED)
    lacking = undo.progress(at.plan, cluster.facts())
    assert lacking == undo.StillRolling(detail="the minimum of backend-blue-hpa is not 2 again yet")


def test_an_autoscaler_that_has_its_minimum_back_may_find_fewer_pods_enough() -> None:
    at = run(Cluster(autoscaled=AUTOSCALED))
    at.turns(200)
    at.cluster.scale("backend-blue", IDLE)
    at.cluster.settle()
    assert undo.progress(at.plan, at.cluster.facts()) == undo.Restored()
    at.cluster.ready[ref("backend-blue")] = 1
    short = undo.progress(at.plan, at.cluster.facts())
    assert short == undo.StillRolling(detail="1 of 2 pods of backend-blue are ready")


def test_endpoints_that_are_not_the_old_colours_are_missing_too() -> None:
    at = run(Cluster())
    at.turns(200)
    at.cluster.ready[ref("backend-green")] = 1
    at.cluster.endpoints[service_ref("backend")] = "green"
    behind = undo.progress(at.plan, at.cluster.facts())
    assert isinstance(behind, undo.StillRolling)
    assert "1 of 1 ready endpoints of backend-service are not blue's" in behind.detail
    at.cluster.ready[ref("backend-green")] = 0
    empty = undo.progress(at.plan, at.cluster.facts())
    assert isinstance(empty, undo.StillRolling)
    assert "backend-service has no ready endpoint" in empty.detail
    assert not undo.still_restored(at.plan, at.cluster.facts(), at.now)


def test_a_set_stays_back_while_its_pods_come_and_go() -> None:
    at = run(Cluster())
    at.turns(200)
    at.cluster.scale("backend-blue", 3)
    at.cluster.settle()
    assert isinstance(undo.progress(at.plan, at.cluster.facts()), undo.StillRolling)
    assert undo.still_restored(at.plan, at.cluster.facts(), at.now)
    assert not undo.still_restored(at.plan, replace(at.cluster.facts(), complete=False), at.now)


def test_a_set_whose_old_colour_is_changed_or_deleted_afterwards_is_stalled() -> None:
    cases: tuple[tuple[Callable[[Cluster], None], str], ...] = (
        (lambda c: c.release("backend-blue"), "the template of backend-blue was changed after"),
        (lambda c: c.delete(ref("workers-blue")), "workers-blue was deleted"),
        (lambda c: c.delete(service_ref("backend")), "the Service backend-service was deleted"),
        (lambda c: c.select("backend", "red"), "backend-service selects red now"),
    )
    for change, said in cases:
        at = run(Cluster())
        at.turns(200)
        change(at.cluster)
        stalled = undo.progress(at.plan, at.cluster.facts())
        assert isinstance(stalled, undo.Stalled)
        assert said in stalled.detail
        assert not undo.still_restored(at.plan, at.cluster.facts(), at.now)


# --- what a person orders ---


def test_a_person_orders_the_set_or_one_member_back() -> None:
    situation = stage(Cluster())
    whole = ordered(situation, ORDER)
    assert isinstance(whole, Target)
    assert (whole.colour, whole.workload) == ("blue", "backend-blue")
    one = ordered(situation, replace(ORDER, only="workers"))
    assert isinstance(one, Target)
    assert one.workload == "workers-blue"
    assert "gateway did not change" in refused(situation, replace(ORDER, only="gateway"))


def test_what_was_never_good_is_gone_back_to_only_by_force() -> None:
    situation = stage(Cluster())
    doubtful = replace(situation, unit=replace(situation.unit, healthy=(good("backend"), good("workers"))))
    assert "revision 1 of frontend-blue was neither judged healthy nor adopted" in refused(doubtful, ORDER)
    assert isinstance(ordered(doubtful, replace(ORDER, only="backend")), Target)
    forced = ordered(doubtful, replace(ORDER, force=True))
    assert isinstance(forced, Target)
    assert not forced.judged


def test_an_order_for_another_version_or_a_revision_or_an_old_one_is_refused() -> None:
    situation = stage(Cluster())
    against = situation.rollout.passages[2].new.digest
    assert isinstance(ordered(situation, replace(ORDER, against=against)), Target)
    assert "not about: order it again" in refused(situation, replace(ORDER, against="another"))
    assert "--to-revision is not for it" in refused(situation, replace(ORDER, to_revision=3))
    assert "more than 15" in refused(situation, replace(ORDER, at=START.plus(-2000)))
    doubt = Standing(name="outage", forbids=True, reason="it is an outage", judging=True)
    assert "--force" in refused(situation, ORDER, doubt)


def test_one_member_can_only_be_named_of_a_release_set() -> None:
    situation = stage(Cluster())
    alone = replace(situation, rollout=replace(situation.rollout, passages=()))
    name = replace(alone.unit.workload, kind=WorkloadKind.DEPLOYMENT)
    alone = replace(
        alone,
        unit=replace(alone.unit, workload=name),
        rollout=replace(alone.rollout, target_digest=alone.facts.members[0].template.digest),
    )
    assert "is no release set" in refused(alone, replace(ORDER, only="backend"))


def test_the_steps_of_a_member_are_told_by_its_name() -> None:
    assert step_of(planned(Cluster()), StepKind.SWITCH, "frontend").words == "switch frontend-service to blue"


# --- what pods say ---


def test_why_an_image_cannot_be_pulled_is_told_from_the_event_where_the_kubelet_backs_off() -> None:
    cluster = Cluster(members=("backend",))
    cluster.stuck["backend-blue"] = "ImagePullBackOff"
    cluster.scale("backend-blue", NEEDED)
    facts = cluster.facts()
    stuck = [one.name for one in facts.pods if not one.ready]
    why = 'Failed to pull image "backend:v1": manifest unknown'
    events = (
        ClusterEvent(pod=stuck[0], reason="Failed", message=why, last_seen=START),
        ClusterEvent(pod=stuck[0], reason="Failed", message="Error: ImagePullBackOff", last_seen=START.plus(1)),
    )
    said = undo.unready(planned(cluster), replace(facts, events=events))[ref("backend-blue")]
    assert said.hopeless
    assert said.words == (f"app: ImagePullBackOff: {why} (1 pod); app: ImagePullBackOff: manifest unknown (1 pod)")


def test_pods_that_find_no_node_or_crash_say_so_and_may_still_become_ready() -> None:
    cluster = Cluster(members=("backend",))
    cluster.scale("backend-blue", NEEDED)
    facts = cluster.facts()
    lost, crashed = [one for one in facts.pods if one.workload.name == "backend-blue"][2:]
    failing = replace(crashed.containers[0], exit_code=1, ready=False)
    pods = (
        replace(lost, ready=False, unschedulable="0/3 nodes are available"),
        replace(crashed, ready=False, containers=(failing,)),
    )
    said = undo.unready(planned(cluster), replace(facts, pods=pods))[ref("backend-blue")]
    assert not said.hopeless
    assert said.words == "it finds no node: 0/3 nodes are available (1 pod); app ended with exit code 1 (1 pod)"


def test_pods_that_a_quota_refuses_are_told_by_their_deployment() -> None:
    cluster = Cluster(members=("backend",))
    said = 'pods "backend-blue-5d7-x2v" is forbidden: exceeded quota: pods'
    full = Condition(type="ReplicaFailure", status="True", reason="FailedCreate", message=said, since=START)
    facts = cluster.facts()
    members = tuple(
        replace(each, conditions=(full,)) if each.name.name == "backend-blue" else each for each in facts.members
    )
    found = undo.unready(planned(cluster), replace(facts, members=members))
    assert found[ref("backend-blue")] == undo.Unready(
        words=f"they are refused (FailedCreate): {said}", hopeless=False, refused=True
    )
    over = tuple(replace(each, conditions=(replace(full, status="False"),)) for each in members)
    assert undo.unready(planned(cluster), replace(facts, members=over)) == {}


def test_pods_that_only_start_say_nothing() -> None:
    cluster = Cluster(members=("backend",))
    cluster.stuck["backend-blue"] = "ContainerCreating"
    cluster.scale("backend-blue", NEEDED)
    assert undo.unready(planned(cluster), cluster.facts()) == {}

"""A release set goes back as one: a bad member faces every interlock, the others those about what comes back."""

from __future__ import annotations

from dataclasses import replace

from rollguard.decide import Judged, decide_set
from rollguard.judge import live_colour, of_member, of_set, with_finding
from rollguard.model.action import Decision, DecisionKind
from rollguard.model.facts import Autoscaler, Owner, Tool, UnitFacts, Workload
from rollguard.model.judgement import Attribution, Verdict, VerdictKind
from rollguard.model.records import GoodRevision, Passage
from rollguard.model.situation import Situation
from rollguard.observe import good_side, member_record, passages
from tests.unit.decide.situations import BEFORE, CRASH_LOOP, gap, sibling, situation, verdict
from tests.unit.observe.building import LONG_AGO, NOW
from tests.unit.observe.sets import SET, facts_of, named, resting, side
from tests.unit.records import ERRORS

GREEN = {"backend-green": 2, "workers-green": 1}
BAD = verdict(replace(ERRORS, reference=BEFORE))
FINE = Verdict(kind=VerdictKind.UNDECIDED, as_of=NOW, findings=(), gaps=(), readings=(), why="nothing is reached")


def seen(*members: Workload) -> UnitFacts:
    """Both members on green, with these Deployments in place of the usual ones."""
    return facts_of(side("backend-green", "2"), side("workers-green", "2"), *members, live="green", ready=GREEN)


def moved() -> tuple[Passage, ...]:
    return passages(resting(), SET, seen(), NOW)


def good(*names: str) -> tuple[GoodRevision, ...]:
    """The blue revisions of these members as judged healthy."""
    found = (good_side(passage.old, seen(), LONG_AGO) for passage in moved() if passage.member in names)
    return tuple(each for each in found if each is not None)


def stage(facts: UnitFacts, *, healthy: tuple[GoodRevision, ...] | None = None) -> Situation:
    usual = situation()
    found = moved()
    unit = replace(resting(), healthy=good("backend", "workers") if healthy is None else healthy)
    rollout = replace(member_record(usual.rollout, found[0]), unit=unit.name, passages=found, started=NOW.plus(-60))
    watch = replace(usual.watch, release_set=SET)
    return replace(usual, unit=unit, rollout=rollout, facts=facts, watch=watch)


def decided(at: Situation, **verdicts: Verdict) -> Decision:
    judged = tuple(
        Judged(passage=each, verdict=of_member(each.member, verdicts.get(each.member, FINE)))
        for each in at.rollout.passages
    )
    return decide_set(at, judged, of_set(tuple(each.verdict for each in judged)), NOW)


def test_one_bad_member_takes_the_whole_set_back() -> None:
    decision = decided(stage(seen()), backend=BAD)
    assert decision.kind is DecisionKind.ROLL_BACK, decision.reason
    assert decision.reason.startswith("backend: error-rate")
    assert decision.target is not None
    assert (decision.target.colour, decision.target.workload, decision.target.judged) == ("blue", "backend-blue", True)


def test_members_that_are_all_fine_go_on() -> None:
    assert decided(stage(seen())).kind is DecisionKind.CONTINUE


def test_a_member_without_a_way_back_holds_the_set_though_another_is_bad() -> None:
    decision = decided(stage(seen(), healthy=good("backend")), backend=BAD)
    assert decision.kind is DecisionKind.HOLD
    assert "workers: there is no way back" in decision.reason
    assert decision.target is None


def test_an_old_colour_with_another_version_holds_the_set_whichever_member_it_is_of() -> None:
    for name in ("backend-blue", "workers-blue"):
        decision = decided(stage(seen(side(name, "3"))), backend=BAD)
        assert decision.kind is DecisionKind.HOLD
        assert f"{name} has another template than when it served" in decision.reason
        assert decision.forbidding() == ("old colour",)
        assert f"rollout undo deployment/{name} --to-revision=1" in decision.reason


def test_an_old_colour_that_was_deleted_or_paused_holds_the_set() -> None:
    gone = seen()
    gone = replace(gone, members=tuple(m for m in gone.members if m.name != named("backend-blue")))
    assert (
        "backend-blue was deleted: there is no blue of backend to go back to"
        in decided(stage(gone), backend=BAD).reason
    )
    paused = decided(stage(seen(replace(side("workers-blue"), paused=True))), backend=BAD)
    assert paused.kind is DecisionKind.HOLD
    assert "kubectl rollout resume deployment/workers-blue" in paused.reason


def test_an_autoscaler_that_would_not_leave_the_pods_that_are_needed_holds_the_set() -> None:
    asleep = replace(side("backend-blue"), ready=1, available=1)
    scaler = Autoscaler(
        namespace="production", name="backend-blue", uid="u", workload=named("backend-blue"), minimum=1, maximum=1
    )
    small = decided(stage(replace(seen(asleep), autoscalers=(scaler,))), backend=BAD)
    assert "allows 1 pods, 2 are needed: raise its maxReplicas" in small.reason
    keda = replace(scaler, maximum=10, owner="ScaledObject/backend")
    kept = decided(stage(replace(seen(asleep), autoscalers=(keda,))), backend=BAD)
    assert kept.kind is DecisionKind.HOLD
    assert "ScaledObject/backend keeps the minReplicas" in kept.reason
    free = decided(stage(replace(seen(asleep), autoscalers=(replace(keda, owner=""),))), backend=BAD)
    assert free.kind is DecisionKind.ROLL_BACK, free.reason


def test_what_doubts_the_judgement_is_asked_of_the_bad_member_alone() -> None:
    outage = stage(seen())
    siblings = tuple(sibling(name, "error-rate") for name in ("speech-to-text", "lip-sync"))
    suffering = replace(outage, around=replace(outage.around, siblings=siblings))
    assert decided(suffering, backend=BAD).kind is DecisionKind.HOLD
    assert decided(suffering, workers=verdict(CRASH_LOOP)).kind is DecisionKind.ROLL_BACK


def test_of_two_bad_members_the_one_that_is_hindered_least_carries() -> None:
    node = verdict(replace(CRASH_LOOP, attribution=Attribution.NODE))
    decision = decided(stage(seen()), backend=node, workers=verdict(CRASH_LOOP))
    assert decision.kind is DecisionKind.ROLL_BACK
    assert decision.reason.startswith("workers: crash-loop")
    assert decided(stage(seen()), backend=node, workers=node).kind is DecisionKind.HOLD


def test_a_set_is_healthy_only_where_every_member_is_and_bad_where_one_is() -> None:
    healthy = replace(FINE, kind=VerdictKind.HEALTHY)
    assert of_set((healthy, healthy)).kind is VerdictKind.HEALTHY
    assert of_set((of_member("backend", healthy), healthy)).why == of_set((of_member("frontend", healthy),)).why
    assert of_set((healthy, FINE)).kind is VerdictKind.UNDECIDED
    assert of_set((healthy, replace(FINE, kind=VerdictKind.BLIND), BAD)).kind is VerdictKind.BAD
    assert of_set((healthy, replace(FINE, kind=VerdictKind.BLIND))).kind is VerdictKind.BLIND


def test_the_old_version_of_a_set_is_proven_only_since_all_of_it_is() -> None:
    one, other = replace(FINE, proven=NOW.plus(-50)), replace(FINE, proven=NOW.plus(-20))
    assert of_set((one, other)).proven == NOW.plus(-20)
    assert of_set((one, FINE)).proven is None


def deleted(facts: UnitFacts) -> UnitFacts:
    """The same without backend's green: nobody serves."""
    left = tuple(member for member in facts.members if member.name.name != "backend-green")
    pods = tuple(pod for pod in facts.pods if pod.workload.name != "backend-green")
    nobody = tuple(replace(service, endpoints=()) for service in facts.services)
    return replace(facts, members=left, pods=pods, services=nobody)


def deserted(verdict: Verdict, *, seconds: float = 10.0) -> Verdict:
    """The verdict on backend once its green is gone for so long."""
    found = live_colour(moved()[0], NOW.plus(-seconds), NOW, old_ready=2)
    return with_finding(verdict, found) if found is not None else verdict


def test_a_live_colour_that_was_deleted_takes_the_set_back_and_hides_nothing_else() -> None:
    assert decided(stage(deleted(seen())), backend=deserted(FINE, seconds=9)).kind is DecisionKind.CONTINUE
    decision = decided(stage(deleted(seen())), backend=deserted(FINE))
    assert decision.kind is DecisionKind.ROLL_BACK, decision.reason
    assert decision.reason.startswith("backend: live-colour: backend-green was deleted: backend-service selects green")
    changed = decided(stage(deleted(seen(side("backend-blue", "3")))), backend=deserted(FINE))
    assert changed.kind is DecisionKind.HOLD
    holes = replace(deleted(seen()), complete=False, missing=("Service: away",))
    assert decided(stage(holes), backend=deserted(FINE)).forbidding() == ("facts incomplete",)


def test_without_a_service_a_deserted_colour_is_paged_and_moves_nothing() -> None:
    found = live_colour(moved()[1], NOW.plus(-10), NOW, old_ready=0)
    assert found is not None
    decision = decided(stage(seen()), workers=with_finding(FINE, found))
    assert decision.kind is DecisionKind.PAGE
    assert "workers-green was deleted: nobody works" in decision.reason


def test_a_deserted_colour_is_told_as_that_and_not_as_blind() -> None:
    found = live_colour(moved()[1], NOW.plus(-10), NOW, old_ready=0)
    assert found is not None
    blind = replace(FINE, kind=VerdictKind.BLIND, gaps=(gap(),), why="latency has no complete answer")
    told = with_finding(blind, found)
    assert (told.kind, told.why, told.gaps) == (VerdictKind.DEGRADED, found.text, blind.gaps)


def test_a_deserted_colour_beside_a_worse_verdict_is_told_and_does_not_hide_it() -> None:
    found = live_colour(moved()[1], NOW.plus(-10), NOW, old_ready=0)
    assert found is not None
    worse = with_finding(BAD, found)
    assert (worse.kind, worse.why) == (VerdictKind.BAD, BAD.why)
    assert worse.findings == (*BAD.findings, found)


def test_who_applies_the_colour_that_serves_again_holds_as_well() -> None:
    flux = Owner(tool=Tool.FLUX_KUSTOMIZATION, name="shop", namespace="flux-system")
    for name in ("backend-blue", "backend-green", "workers-blue"):
        owned = replace(side(name, "1" if name.endswith("blue") else "2"), owners=(flux,))
        decision = decided(stage(seen(owned)), backend=BAD)
        assert decision.kind is DecisionKind.HOLD, name
        assert "GitOps owner" in decision.forbidding()

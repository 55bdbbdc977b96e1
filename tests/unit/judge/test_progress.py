"""The progress deadline: the release's where its pods run and are not ready, and nothing else keeps them from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.judge.events import progress_deadline
from rollguard.model.facts import ClusterEvent, Condition, Container, Pod
from rollguard.model.judgement import Arms, Attribution, Finding, Observation, Rollout, VerdictKind
from rollguard.model.names import RolloutId, TemplateHash
from rollguard.model.signals import EventRule, LevelName
from tests.unit.judge.building import CRASH, STARTED, Case
from tests.unit.observe.building import NEW, OLD, UNIT, container, facts, pod, revision, workload

DEADLINE = replace(CRASH, name="progress-deadline", rule=EventRule.PROGRESS_DEADLINE)
EXCEEDED = Condition(
    type="Progressing",
    status="False",
    reason="ProgressDeadlineExceeded",
    message='ReplicaSet "translation-new" has timed out progressing.',
    since=STARTED.plus(600),
)
REFUSED = Condition(
    type="ReplicaFailure", status="True", reason="FailedCreate", message="exceeded quota: compute", since=STARTED
)
WAITS = container(waiting_reason="PodInitializing")
RUNS = replace(container(), ready=False, running=True)


def stuck(name: str = "n", *boxes: Container) -> Pod:
    return pod(name, NEW, ready_since=None, containers=boxes or (RUNS,))


def look(
    *pods: Pod,
    conditions: tuple[Condition, ...] = (EXCEEDED,),
    events: tuple[ClusterEvent, ...] = (),
    target: TemplateHash = NEW,
    observed: int = 2,
) -> tuple[Finding, ...]:
    revisions = (revision(OLD, 1), revision(NEW, 2))
    whole = replace(workload(*revisions, target=target, observed=observed), conditions=conditions)
    seen = replace(facts(whole, pods=pods), events=events)
    rollout = Rollout(id=RolloutId("r"), unit=UNIT, started=STARTED, target=NEW, target_number=2, baseline=OLD)
    arms = Arms(new=NEW, reference=OLD, apart=True)
    now = STARTED.plus(601)
    observation = Observation(now=now, rollout=rollout, arms=arms, facts=seen, answers=(), before=())
    return progress_deadline("progress-deadline", LevelName.ROLLBACK, observation)


def test_pods_that_run_and_are_not_ready_beside_ready_old_ones_are_the_release() -> None:
    probe = ClusterEvent(pod="n", reason="Unhealthy", message="Readiness probe failed: 503", last_seen=STARTED)
    (finding,) = look(stuck(), pod("o", OLD), events=(probe,))
    assert (finding.level, finding.attribution) == (LevelName.ROLLBACK, Attribution.RELEASE)
    assert finding.since == STARTED.plus(600)
    assert finding.text == (
        "progress-deadline: 1 of 1 new pods are not ready within the progress deadline, bound 0; container app of pod "
        "n runs and is not ready (Readiness probe failed: 503), 1 old pods are ready"
    )


@pytest.mark.parametrize(
    ("why", "pods", "conditions"),
    [
        ("exceeded quota", (stuck(),), (EXCEEDED, REFUSED)),
        ("exceeded quota", (), (EXCEEDED, REFUSED)),
        ("finds no node: 0/2 nodes", (replace(stuck(), node="", unschedulable="0/2 nodes"),), (EXCEEDED,)),
        ("has no node yet", (replace(stuck(), node=""),), (EXCEEDED,)),
        (
            "waits for its init container wait-for-db: it still runs",
            (stuck("n", replace(RUNS, name="wait-for-db", init=True), WAITS),),
            (EXCEEDED,),
        ),
        (
            "waits for its init container migrate: it fails with exit code 1",
            (stuck("n", container(name="migrate", init=True, waiting_reason="CrashLoopBackOff", exit_code=1), WAITS),),
            (EXCEEDED,),
        ),
        (
            "has not started: CreateContainerConfigError",
            (stuck("n", container(waiting_reason="CreateContainerConfigError")),),
            (EXCEEDED,),
        ),
        ("every new pod that exists is ready", (pod("n", NEW),), (EXCEEDED,)),
        ("every new pod that exists is ready", (), (EXCEEDED,)),
        (
            "container mesh, which was injected, is not ready",
            (stuck("n", replace(container(), running=True), replace(RUNS, name="mesh", in_template=False)),),
            (EXCEEDED,),
        ),
        ("no old pod is ready beside them", (stuck(), pod("p", OLD, ready_since=None)), (EXCEEDED,)),
    ],
)
def test_what_else_keeps_them_from_it_is_no_fault_of_the_release(
    why: str, pods: tuple[Pod, ...], conditions: tuple[Condition, ...]
) -> None:
    beside = () if "no old pod" in why else (pod("o", OLD),)
    (finding,) = look(*pods, *beside, conditions=conditions)
    assert finding.attribution is Attribution.SURROUNDINGS
    assert why in finding.text


def test_one_pod_without_a_node_makes_it_the_surroundings_though_another_runs() -> None:
    (finding,) = look(stuck(), replace(stuck("m"), node="", unschedulable="full"), pod("o", OLD))
    assert finding.attribution is Attribution.SURROUNDINGS


def test_a_volume_that_does_not_mount_is_named_and_one_that_was_late_is_forgotten() -> None:
    late = ClusterEvent(pod="n", reason="FailedMount", message="timed out waiting for the claim", last_seen=STARTED)
    (finding,) = look(stuck("n", container(waiting_reason="ContainerCreating")), pod("o", OLD), events=(late,))
    assert finding.attribution is Attribution.SURROUNDINGS
    assert "waits for a volume: timed out" in finding.text
    (finding,) = look(stuck(), pod("o", OLD), events=(late,))
    assert finding.attribution is Attribution.RELEASE


def test_a_native_sidecar_that_runs_and_an_init_container_that_is_done_keep_nothing_back() -> None:
    sidecar = replace(RUNS, name="proxy", init=True, sidecar=True)
    done = container(name="prepare", init=True, exit_code=0)
    (finding,) = look(stuck("n", sidecar, done, RUNS), pod("o", OLD))
    assert finding.attribution is Attribution.RELEASE


@pytest.mark.parametrize(
    "conditions",
    [
        (),
        (replace(EXCEEDED, status="True", reason="ReplicaSetUpdated"),),
        (replace(EXCEEDED, since=STARTED.plus(-1)),),
    ],
    ids=["no condition", "still in time", "of an earlier rollout"],
)
def test_without_the_condition_of_this_rollout_there_is_nothing(conditions: tuple[Condition, ...]) -> None:
    assert not look(stuck(), pod("o", OLD), conditions=conditions)


def test_a_status_that_is_behind_or_of_another_target_says_nothing() -> None:
    assert not look(stuck(), pod("o", OLD), observed=1)
    assert not look(stuck(), pod("o", OLD), target=OLD)


def test_it_makes_the_verdict_bad_without_any_metrics() -> None:
    case = Case((DEADLINE,))
    verdict = case.see(pods=(stuck(), pod("o", OLD)), conditions=(EXCEEDED,), now=STARTED.plus(601))
    assert verdict.kind is VerdictKind.BAD

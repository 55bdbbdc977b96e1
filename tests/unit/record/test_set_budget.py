"""The largest release set there is: its record fits, and what a rollback needs after a crash is whole."""

from __future__ import annotations

import dataclasses

from rollguard.model.action import Plan, Step, StepKind, StepState, Target
from rollguard.model.names import AUTOSCALER, SERVICE, Ref, TemplateHash, WorkloadKind, WorkloadName
from rollguard.model.notices import NoticeState
from rollguard.model.records import Passage, RolloutRecord, Side, TimelineEntry
from rollguard.record import BUDGET_BYTES, fit_rollout, rollout_from_json, rollout_to_json
from tests.unit.record.test_budget import finding, look, notice, record, size
from tests.unit.records import START

MEMBERS = tuple(f"member-{n}-" + "m" * 30 for n in range(6))
LEVELS, INTERLOCKS = 12, 10
KINDS = (
    StepKind.RAISE_MINIMUM,
    StepKind.SCALE_UP,
    StepKind.SWITCH,
    StepKind.SCALE_DOWN,
    StepKind.RESTORE_MINIMUM,
)
OBJECTS = {StepKind.RAISE_MINIMUM: AUTOSCALER, StepKind.RESTORE_MINIMUM: AUTOSCALER, StepKind.SWITCH: SERVICE}


def side(member: str, colour: str) -> Side:
    name = WorkloadName("dubbing-production", WorkloadKind.DEPLOYMENT, f"{member}-{colour}")
    images = tuple((f"container-{n}", f"registry.example.com/{member}/{n}:v1.2.3-{'a' * 40}") for n in range(2))
    return Side(
        colour=colour,
        workload=name,
        uid="5e5e5e5e-0000-4000-8000-00000000000" + member[7],
        hash=TemplateHash(f"{member[7]}8x64xwfh2t"),
        number=12,
        digest="sha256:" + member[7] * 64,
        images=images,
    )


def passage(member: str) -> Passage:
    return Passage(
        member=member,
        service=f"{member}-service",
        old=side(member, "blue"),
        new=side(member, "green"),
        since=START,
        needed=12,
    )


def step(n: int, kind: StepKind, member: str) -> Step:
    of = OBJECTS.get(kind, "Deployment")
    before = {AUTOSCALER: "3", SERVICE: "green"}.get(of, "sha256:" + "d" * 64)
    return Step(
        n=n,
        kind=kind,
        target=Ref(of, "dubbing-production", f"{member}-blue", "5e5e5e5e-0000-4000-8000-000000000001"),
        precondition=before,
        goal="12",
        body="3",
        revision=0,
        state=StepState.DONE,
        detail="12 pods are ready",
        over_at=START,
        member=member,
    )


def largest() -> RolloutRecord:
    """Six members with long names, half way back, with all the detail that there can be."""
    steps = [(kind, member) for kind in KINDS for member in MEMBERS]
    first = side(MEMBERS[0], "blue")
    target = Target(
        hash=first.hash, number=12, images=first.images, judged=True, workload=first.workload.name, colour="blue"
    )
    plan = Plan(
        id="platform-s12-5e5e5e5e.1",
        epoch=7,
        created=START,
        expires=START.plus(900),
        reason="bad",
        actor="rollguard",
        target=target,
        steps=tuple(step(n, kind, member) for n, (kind, member) in enumerate(steps, 1)),
        drain=30.0,
    )
    sent = tuple(notice(n, length=900, topic=f"topic-{n}") for n in range(20))
    unsent = tuple(notice(n, NoticeState.PENDING, length=900, topic=f"unsent-{n}") for n in range(4))
    seen = look(LEVELS * len(MEMBERS), INTERLOCKS * len(MEMBERS))
    return record(
        passages=tuple(passage(member) for member in MEMBERS),
        plan=plan,
        findings=tuple(dataclasses.replace(finding(n), member=MEMBERS[n % 6]) for n in range(8)),
        pods=tuple((f"{MEMBERS[n % 6]}-green-8x64xwfh2t-{n:05}", TemplateHash("8x64xwfh2t")) for n in range(200)),
        timeline=tuple(TimelineEntry(at=START.plus(n), kind="step", text=f"{n}: " + "t" * 300) for n in range(60)),
        notices=(*sent, *unsent),
        last_look=dataclasses.replace(
            seen,
            readings=tuple(dataclasses.replace(r, member=MEMBERS[n % 6]) for n, r in enumerate(seen.readings)),
            standings=tuple(dataclasses.replace(s, member=MEMBERS[n % 6]) for n, s in enumerate(seen.standings)),
        ),
    )


def test_the_largest_set_fits_and_loses_no_step_no_member_and_no_notice() -> None:
    fat = largest()
    fitted = fit_rollout(fat)
    assert size(fitted) <= BUDGET_BYTES
    assert fitted != fat
    assert fitted.plan == fat.plan
    assert fitted.passages == fat.passages
    assert [n.id for n in fitted.notices] == [n.id for n in fat.notices]
    assert [n.text for n in fitted.notices if n.state is NoticeState.PENDING] == ["y" * 900] * 4


def test_it_is_the_same_plan_when_it_is_read_again() -> None:
    fat = largest()
    stored = rollout_from_json(rollout_to_json(fit_rollout(fat)))
    assert stored is not None
    assert stored.record.plan == fat.plan


def test_detail_goes_in_the_order_that_is_promised() -> None:
    fat = largest()
    budgets = (*range(BUDGET_BYTES + 60_000, BUDGET_BYTES, -4000), BUDGET_BYTES)
    for fitted in (fit_rollout(fat, budget) for budget in budgets):
        look_gone = fitted.last_look is None
        timeline_at_least = len(fitted.timeline) == 11
        if len(fitted.timeline) < 60:
            assert look_gone
        if len(fitted.findings) < 8:
            assert timeline_at_least
        if any(not n.text for n in fitted.notices):
            assert len(fitted.findings) == 1
        if len(fitted.pods) < 200:
            assert not any(n.text for n in fitted.notices if n.state is NoticeState.ACCEPTED)
        if any(line.text.endswith("…") for line in fitted.timeline):
            assert fitted.pods == ()
    assert fitted.timeline[-1].text.endswith("…"), "the budget was never tight enough"

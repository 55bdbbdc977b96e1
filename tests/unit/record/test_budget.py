"""A record stays small: what goes, in which order, and what never does."""

from __future__ import annotations

import dataclasses
import json

from rollguard.loop import telling
from rollguard.model.action import DecisionKind, Plan, Standing
from rollguard.model.handling import Handling, Ticket, TicketState
from rollguard.model.judgement import Finding, LevelReading
from rollguard.model.lifecycle import Tell
from rollguard.model.names import TemplateHash
from rollguard.model.notices import Notice, NoticeClass, NoticeState
from rollguard.model.records import LastLook, Response, RolloutRecord, TimelineEntry
from rollguard.model.requests import HumanRequest, RequestKind
from rollguard.model.signals import LevelName
from rollguard.record import BUDGET_BYTES, fit_rollout, fit_unit, rollout_to_json, thinned
from tests.unit.judge.building import policy
from tests.unit.records import ERRORS, PLAN, START, rollout_record, unit_record


def entry(n: int, length: int = 40) -> TimelineEntry:
    return TimelineEntry(at=START.plus(n), kind="verdict", text=f"{n}: " + "x" * length)


def notice(n: int, state: NoticeState = NoticeState.ACCEPTED, length: int = 40, topic: str = "t") -> Notice:
    return Notice(
        id=f"r.{topic}.key.{n}",
        class_=NoticeClass.INFO,
        topic=topic,
        title=f"notice {n}",
        text="y" * length,
        at=START.plus(n),
        state=state,
    )


def finding(n: int) -> Finding:
    return dataclasses.replace(ERRORS, text=f"{n}: " + "z" * 1500, since=START.plus(n))


def record(**changes: object) -> RolloutRecord:
    return dataclasses.replace(rollout_record(), **changes)  # type: ignore[arg-type]


def size(fitted: RolloutRecord) -> int:
    return len(json.dumps(json.loads(rollout_to_json(fitted))["status"], separators=(",", ":")))


def plan(length: int) -> Plan:
    return dataclasses.replace(PLAN, steps=(dataclasses.replace(PLAN.steps[0], body="b" * length),))


def test_a_small_record_is_left_alone() -> None:
    whole = record(timeline=tuple(entry(n) for n in range(20)))
    assert fit_rollout(whole) == whole


def test_the_timeline_loses_the_oldest_in_its_middle_first() -> None:
    fitted = fit_rollout(record(timeline=tuple(entry(n) for n in range(100))))
    kept = [line.text.split(":")[0] for line in fitted.timeline]
    assert kept == ["0", "1", "2", *(str(n) for n in range(43, 100))]


def test_a_fat_timeline_shrinks_until_the_record_fits_and_findings_stay() -> None:
    fat = record(timeline=tuple(entry(n, 1500) for n in range(50)), findings=(finding(1), finding(2)))
    fitted = fit_rollout(fat)
    assert size(fitted) <= BUDGET_BYTES
    assert fitted.findings == fat.findings
    assert fitted.timeline[:3] == fat.timeline[:3]
    assert fitted.timeline[-8:] == fat.timeline[-8:]
    assert len(fitted.timeline) > 11


def test_then_the_oldest_findings_go_then_what_sent_notices_said_and_never_the_plan_or_an_unsent_notice() -> None:
    unsent = tuple(notice(n, NoticeState.PENDING, 3000) for n in range(2))
    sent = tuple(notice(n, NoticeState.ACCEPTED, 3000) for n in range(10, 14))
    fat = record(
        timeline=tuple(entry(n, 200) for n in range(50)),
        findings=tuple(finding(n) for n in range(8)),
        notices=unsent + sent,
        plan=plan(20_000),
    )
    fitted = fit_rollout(fat)
    assert size(fitted) <= BUDGET_BYTES
    assert fitted.findings == (finding(7),)
    assert fitted.notices == (*unsent, dataclasses.replace(sent[-1], text=""))
    assert fitted.plan == fat.plan


def test_a_large_template_does_not_make_forget_what_was_told_so_that_it_is_not_told_at_each_look() -> None:
    tell = Tell(class_=NoticeClass.PAGE, topic="stalled", reason="the rollback is stalled: 3 of 100 pods")
    held = Tell(class_=NoticeClass.PAGE, topic="hold", reason="held, for it is frozen")
    other = dataclasses.replace(held, reason="held, for it is paused")
    present, sent = record(notices=(), plan=plan(34_000)), set()
    for look in range(40):
        for one in (tell, held, other):
            now = START.plus(1000 + 15 * look)
            present = telling.told(present, one, unit=unit_record(), policy=policy(), now=now)
        present = fit_rollout(present)
        for pending in (n for n in present.notices if n.state is NoticeState.PENDING):
            sent.add(pending.id)
            done = dataclasses.replace(pending, state=NoticeState.ACCEPTED, attempts=1, detail="accepted by ops")
            present = fit_rollout(dataclasses.replace(present, notices=telling.with_notice(present.notices, done)))
    assert len(sent) == 3
    assert len(present.notices) == 3


def test_of_too_many_notices_those_go_first_that_were_told_again_since() -> None:
    repeated = tuple(notice(n, topic="warning") for n in range(40))
    page = dataclasses.replace(notice(50, NoticeState.FAILED, topic="lost"), class_=NoticeClass.PAGE)
    first = notice(0, topic="hold")
    assert thinned((first, page, *repeated), 4) == (first, page, *repeated[-2:])
    assert thinned((first, page, repeated[0]), 1) == (page,)
    unsent = notice(99, NoticeState.PENDING)
    assert thinned((unsent, *repeated), 1) == (unsent,)


def test_pages_that_never_arrive_do_not_fill_the_record_beyond_what_the_server_takes() -> None:
    kept: tuple[Notice, ...] = ()
    other: tuple[Notice, ...] = ()
    for number in range(300):
        lost = dataclasses.replace(notice(number, NoticeState.FAILED), class_=NoticeClass.PAGE)
        kept = thinned((*kept, dataclasses.replace(lost, id=f"all.policy-invalid.abcd1234.{number}")), 24)
        other = thinned((*other, dataclasses.replace(lost, id=f"all.policy-invalid.{number:08}.1")), 24)
    assert [each.id.rpartition(".")[2] for each in kept] == [str(number) for number in range(276, 300)]
    assert [each.id.split(".")[2] for each in other] == [f"{number:08}" for number in range(276, 300)]


def test_a_request_that_still_stands_is_not_forgotten_as_handled() -> None:
    standing = HumanRequest(id="standing", kind=RequestKind.APPROVE, actor="ana", at=START, reason="ok")
    ids = ("standing", *(f"gone-{n}" for n in range(100)))
    fitted = fit_unit(dataclasses.replace(unit_record(), requests=(standing,), handled_requests=ids))
    assert fitted.handled_requests == ("standing", *ids[-64:])


def test_only_a_plans_own_template_makes_a_record_larger_than_its_budget() -> None:
    fitted = fit_rollout(record(plan=plan(60_000), pods=(("a", TemplateHash("b")),) * 150))
    assert fitted.plan == plan(60_000)
    assert fitted.pods == ()
    assert json.loads(rollout_to_json(fitted))["status"]["plan"]["steps"][0]["body"] == "b" * 60_000


def test_what_people_did_about_a_finding_stays_and_a_sent_message_of_a_ticket_goes() -> None:
    ticket = Ticket(id="t", number=1, state=TicketState.OPEN, signal="errors", actor="ana", at=START, text="t" * 300)
    kept = tuple(Handling(signal=f"s{n}", note="n" * 300, ticket=ticket) for n in range(20))
    sent = tuple(dataclasses.replace(notice(n, topic=f"t{n}"), ticket=ticket) for n in range(32))
    waits = dataclasses.replace(notice(99, NoticeState.PENDING), ticket=ticket)
    timeline = tuple(entry(n, 1500) for n in range(50))
    fitted = fit_rollout(record(handling=kept, notices=(*sent, waits), timeline=timeline), 24_000)
    assert fitted.handling == kept[-16:]
    assert fitted.notices[-1].ticket == ticket
    assert fitted.notices[0].ticket is None


def test_at_most_200_pods_the_newest() -> None:
    fitted = fit_rollout(record(pods=tuple((f"pod-{n}", TemplateHash("h")) for n in range(300))))
    assert len(fitted.pods) == 200
    assert fitted.pods[-1][0] == "pod-299"


def test_a_long_text_is_cut_with_a_mark() -> None:
    written = json.loads(rollout_to_json(record(why="w" * 10_000)))["status"]["why"]
    assert len(written) == 4000
    assert written.endswith("…")


def reading(n: int, *, reached: bool = False) -> LevelReading:
    return LevelReading(
        signal=f"signal-{n}",
        level=LevelName.ROLLBACK,
        text="r" * 400,
        value=0.1,
        bound=0.1,
        unit="%",
        traffic=100.0,
        slots=20,
        gaps=0,
        reached=reached,
        reference=ERRORS.reference,
    )


def standing(n: int, *, forbids: bool = False) -> Standing:
    return Standing(name=f"interlock-{n}", forbids=forbids, reason="s" * 200)


def look(readings: int, standings: int) -> LastLook:
    return LastLook(
        at=START,
        decision=DecisionKind.HOLD,
        reason="held",
        verdict="bad",
        readings=tuple(reading(n, reached=n == readings - 1) for n in range(readings)),
        standings=tuple(standing(n, forbids=n == standings - 1) for n in range(standings)),
    )


def test_what_the_last_look_saw_in_order_goes_before_everything_else_and_is_counted() -> None:
    responses = tuple(
        Response(at=START.plus(n), kind=DecisionKind.HOLD, would=False, reason="w" * 600) for n in range(6)
    )
    fat = record(timeline=tuple(entry(n, 300) for n in range(50)), last_look=look(40, 30), responses=responses)
    fitted = fit_rollout(fat)
    assert size(fitted) <= BUDGET_BYTES
    assert fitted.timeline == fat.timeline
    assert fitted.responses == responses
    kept = fitted.last_look
    assert kept is not None
    assert "signal-39" in {r.signal for r in kept.readings}
    assert "interlock-29" in {s.name for s in kept.standings}
    assert 0 < kept.left_out == 70 - len(kept.readings) - len(kept.standings)


def test_a_last_look_beyond_its_counts_says_so() -> None:
    fitted = fit_rollout(record(last_look=look(66, 1)), budget=10**6)
    assert fitted.last_look is not None
    assert (len(fitted.last_look.readings), fitted.last_look.left_out) == (64, 2)
    assert fit_rollout(fitted, budget=10**6) == fitted

"""A notice in Slack: its class, the figures as fields, the exact command, links; within every limit of Block Kit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.standins.slack_rules import check
from rollguard.model.documents import Json
from rollguard.model.lifecycle import Tell
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import RolloutRecord
from rollguard.model.signals import LevelName
from rollguard.notify import words
from rollguard.notify.slack_blocks import escaped, link, message
from tests.unit.notify.test_words import HOLD, POLICY
from tests.unit.records import ERRORS, START, rollout_record, set_record, set_unit, unit_record

ADDRESS = "https://grafana.example.com/d/deployment-monitoring?var-namespace=production&amp;var-workload=translation"


def notice(tell: Tell = HOLD, rollout: RolloutRecord | None = None) -> Notice:
    said = words(tell, rollout, unit_record(), POLICY, START.plus(330))
    return Notice(id="n-1", class_=tell.class_, topic=tell.topic, title=said.title, text=said.text, at=START)


def blocks(given: dict[str, Json], kind: str) -> list[dict[str, Json]]:
    found = given["blocks"]
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, dict) and each["type"] == kind]


def texts(part: Json) -> list[str]:
    """All texts of a part, in their order."""
    if isinstance(part, list):
        return [text for each in part for text in texts(each)]
    if isinstance(part, dict):
        own = part.get("text")
        return ([own] if isinstance(own, str) else []) + [text for each in part.values() for text in texts(each)]
    return []


def test_a_hold_is_said_with_its_class_figures_command_and_links() -> None:
    record = rollout_record()
    made = message(notice(rollout=record), record)
    check(made)
    assert texts(made["blocks"]) == [
        "Bad release held: a human is needed: production/translation on eu-1",
        ":rotating_light: *Page*: somebody is needed now · rollout translation-r2-bbb-uid1",
        "held: error-rate 14.8% &gt; 10%, but frozen by alice\n"
        "From revision 1 (registry.example.com/translation:v1) to revision 2 (registry.example.com/translation:v2),"
        " rollout translation-r2-bbb-uid1, verdict bad.",
        "error-rate: 14.8% of 1,234 requests over 5m, bound 10%, on the new pods",
        "*Value*\n14.8%",
        "*Bound*\n10%",
        "*Since*\n2026-11-03 02:00:30 UTC (2026-11-03 03:00:30 Europe/Berlin)",
        "*Level*\nrollback",
        '*Next*\n```\nrollguard rollback production translation --reason "..."\n```\n'
        "with --force against the guard's own judgement",
        "*Incident*\n```\nrollguard incident show INC-translation-r2\n```",
        f"<{ADDRESS}|Dashboard>",
        "2026-11-03 02:05:30 UTC (2026-11-03 03:05:30 Europe/Berlin) · notice n-1",
    ]


def test_the_notification_says_class_title_and_what_happened() -> None:
    made = message(notice(), None)
    assert made["text"] == (
        "Page: Bad release held: a human is needed: production/translation on eu-1: "
        "held: error-rate 14.8% &gt; 10%, but frozen by alice"
    )


@pytest.mark.parametrize(
    ("class_", "name"),
    [(NoticeClass.INFO, "Information"), (NoticeClass.WARNING, "Warning"), (NoticeClass.PAGE, "Page")],
)
def test_every_class_is_named(class_: NoticeClass, name: str) -> None:
    made = message(replace(notice(), class_=class_), None)
    assert str(made["text"]).startswith(f"{name}: ")
    assert f"*{name}*" in texts(blocks(made, "context")[0])[0]


def test_a_release_sets_figures_name_the_member() -> None:
    record = set_record()
    said = words(HOLD, record, set_unit(), POLICY, START)
    made = message(replace(notice(), text=said.text), record)
    check(made)
    assert "*Level*\nbackend, rollback" in texts(made["blocks"])


def test_figures_are_those_of_the_notice_also_where_the_record_has_gone_on() -> None:
    then, now = (
        rollout_record(),
        replace(rollout_record(), findings=(replace(ERRORS, value=0.2, text="error-rate: 20%"),)),
    )
    made = message(notice(rollout=then), now)
    assert not any("fields" in block for block in blocks(made, "section"))
    assert "- error-rate: 14.8% of 1,234 requests" in "".join(texts(made["blocks"]))
    assert "20%" not in json.dumps(made)


def test_every_figure_of_a_record_is_told() -> None:
    findings = tuple(
        replace(ERRORS, signal=f"s{n}", text=f"s{n}: {n}% of 1,234 requests", level=LevelName.WARNING) for n in range(8)
    )
    record = replace(rollout_record(), findings=findings)
    made = message(notice(rollout=record), record)
    assert sum("fields" in block for block in blocks(made, "section")) == 8


def test_what_a_person_wrote_makes_no_command_no_link_and_rings_nobody_up() -> None:
    reason = (
        "rejected by eve: <!channel> & <https://evil.example.com|this>\nTime: now\nNext: kubectl delete ns production"
    )
    tell = replace(HOLD, reason=reason, topic="rejected", class_=NoticeClass.INFO)
    made = message(notice(tell), None)
    check(made)
    assert "```" not in json.dumps(made)
    story = texts(blocks(made, "section")[0])[0]
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example.com|this&gt;" in story
    assert "Next: kubectl delete ns production" in story


def test_a_notice_without_words_is_still_a_message() -> None:
    made = message(Notice(id="n-1", class_=NoticeClass.INFO, topic="healthy", title="", text="", at=START), None)
    check(made)
    assert texts(made["blocks"])[0] == "healthy"


def test_a_message_of_the_greatest_length_keeps_what_to_do_and_where_to_look() -> None:
    long = "&" * 5000
    findings = tuple(replace(ERRORS, signal=f"s{n}", text=f"{n}{long}", member="m" * 63) for n in range(8))
    record = replace(rollout_record(), findings=findings)
    made = message(replace(notice(replace(HOLD, reason=long), record), title="t" * 400), record)
    check(made)
    for part in ("```\nrollguard rollback production translation", "incident show INC-translation-r2", ADDRESS, "n-1"):
        assert any(part in text for text in texts(made["blocks"])), part


@settings(max_examples=40)
@given(
    reason=st.text(st.sampled_from("a&<>`*_|é\n …"), max_size=4000),
    title=st.text(max_size=300),
    class_=st.sampled_from(NoticeClass),
    findings=st.integers(0, 8),
)
def test_slack_takes_every_message(reason: str, title: str, class_: NoticeClass, findings: int) -> None:
    record = replace(rollout_record(), findings=(ERRORS,) * findings)
    check(message(replace(notice(replace(HOLD, reason=reason), record), title=title, class_=class_), record))


@given(st.text(st.sampled_from("a&<>;"), max_size=60), st.integers(8, 40))
def test_a_text_is_never_cut_within_a_sign(text: str, most: int) -> None:
    made = escaped(text, most)
    whole = made.removesuffix("…")
    assert len(made) <= most
    assert escaped(text).startswith(whole)
    left = whole.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(left) & set("&<>")


def test_a_link_is_whole_or_none() -> None:
    assert link("Runbook", "https://runbooks.example.com/a|b?x=1&y=2") == (
        "<https://runbooks.example.com/a%7Cb?x=1&amp;y=2|Runbook>"
    )
    assert link("Runbook", "https://runbooks.example.com/" + "x" * 400) == "Runbook"

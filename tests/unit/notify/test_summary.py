"""A mail says the same in its plain text as in its HTML, and nothing in either can lead a reader astray."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from rollguard.model.lifecycle import Tell
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord, TimelineEntry
from rollguard.notify.summary import SUBJECT_MAX, mail
from rollguard.notify.words import words
from tests.unit.notify.test_words import HOLD, POLICY
from tests.unit.records import START, rollout_record, set_record, set_unit, unit_record

RECOVERED = Tell(class_=NoticeClass.INFO, topic="recovered", reason="Recovered: error-rate 0.2%, for 2m")
BERLIN = "Europe/Berlin"


def notice_of(tell: Tell, rollout: RolloutRecord | None) -> Notice:
    """The notice that the loop writes for it."""
    unit = set_unit() if rollout is not None and rollout.passages else unit_record()
    said = words(tell, rollout, unit, POLICY, START.plus(480))
    return Notice(id="n1", class_=tell.class_, topic=tell.topic, title=said.title, text=said.text, at=START.plus(480))


class Page(HTMLParser):
    """What a mail program would show of a page, what it would fetch, and which tags are in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._hidden = tag == "title"
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "background", "action")]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.shown += data.split()


def plain_words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize(
    ("tell", "rollout"),
    [
        (RECOVERED, rollout_record()),
        (RECOVERED, set_record()),
        (HOLD, replace(rollout_record(), closed=None, outcome=None, state=LifecycleState.HELD)),
        (HOLD, None),
    ],
    ids=["ended", "set", "held", "no rollout"],
)
def test_text_and_html_say_the_same_words_in_the_same_order(tell: Tell, rollout: RolloutRecord | None) -> None:
    made = mail(notice_of(tell, rollout), rollout, time_zone=BERLIN)
    assert Page(made.html).shown == plain_words(made.text)


def test_the_summary_of_a_rollout_says_how_it_ended_when_and_what_happened() -> None:
    made = mail(notice_of(RECOVERED, rollout_record()), rollout_record(), time_zone=BERLIN)
    assert made.subject == "[Rollguard] Recovered after the rollback: production/translation on eu-1"
    for fact in (
        "From revision 1 (registry.example.com/translation:v1) to revision 2 (registry.example.com/translation:v2)",
        "error-rate: 14.8% of 1,234 requests over 5m, bound 10%, on the new pods (since",
        "Outcome: recovered",
        "Why: error-rate 14.8% > 10%",
        "Began: 2026-11-03 02:00:00 UTC (2026-11-03 03:00:00 Europe/Berlin)",
        "Ended: 2026-11-03 02:08:00 UTC",
        "Lasted: 8m",
        "Way back: to revision 1, by the guard itself",
        "  2026-11-03 02:05:31 UTC (2026-11-03 03:05:31 Europe/Berlin)  template of revision 1 restored",
        "Incident: rollguard incident show INC-translation-r2",
        "Dashboard: https://grafana.example.com/d/deployment-monitoring?var-namespace=production",
    ):
        assert fact in made.text


def test_who_did_what_is_named_in_the_story() -> None:
    said_so = TimelineEntry(at=START.plus(60), kind="human", text="Rollback rejected: known", actor="alice@example.com")
    made = mail(notice_of(HOLD, rollout_record()), replace(rollout_record(), timeline=(said_so,)), time_zone="UTC")
    assert "  2026-11-03 02:01:00 UTC  Rollback rejected: known (alice@example.com)" in made.text


def test_the_class_stands_in_the_subject_where_somebody_is_needed() -> None:
    assert mail(notice_of(HOLD, None), None, time_zone="UTC").subject.startswith("[Rollguard, page] Bad release held")


def test_what_people_and_images_say_is_never_markup() -> None:
    evil = '<script src="https://evil.example.com/x.js"></script><img src=x onerror=alert(1)>" & more'
    record = replace(
        rollout_record(),
        why=evil,
        target_images=(("app", evil),),
        evidence=(evil,),
        incident=evil,
        timeline=(TimelineEntry(at=START, kind="human", text=evil, actor=evil),),
    )
    made = mail(notice_of(replace(HOLD, reason=evil), record), record, time_zone="UTC")
    page = Page(made.html)
    assert page.tags <= {
        *("html", "head", "meta", "title", "body", "div", "h1", "h2", "p", "br"),
        *("table", "tr", "th", "td", "code", "span", "a"),
    }
    assert page.shown == plain_words(made.text)
    assert made.text.count("<script") >= 5


def test_nothing_is_fetched_and_only_the_policys_links_are_followed() -> None:
    made = mail(notice_of(RECOVERED, rollout_record()), rollout_record(), time_zone="UTC")
    assert Page(made.html).links == [
        "https://grafana.example.com/d/deployment-monitoring?var-namespace=production&var-workload=translation"
    ]
    assert "url(" not in made.html
    assert "@import" not in made.html


def test_an_address_that_is_no_web_address_is_shown_and_not_linked() -> None:
    notice = replace(notice_of(HOLD, None), text="held\nTime: now\nRunbook: javascript:alert(1)")
    page = Page(mail(notice, None, time_zone="UTC").html)
    assert page.links == []
    assert "javascript:alert(1)" in page.shown


def test_a_narrow_window_need_not_be_scrolled_sideways() -> None:
    html = mail(notice_of(RECOVERED, rollout_record()), rollout_record(), time_zone="UTC").html
    assert 'name="viewport"' in html
    assert not re.search(r'[^-]width:\s*\d+px|width="\d', html)
    assert "white-space:pre-wrap" in html


@pytest.mark.parametrize("breaks", ["\r\n", "\n", "\u2028", "\x0b", "\x00"])
def test_a_subject_is_one_printable_line_whatever_the_title_holds(breaks: str) -> None:
    notice = replace(notice_of(HOLD, None), title=f"held{breaks}Bcc: everybody@example.com")
    made = mail(notice, None, time_zone="UTC")
    assert made.subject.isprintable()
    assert len(mail(replace(notice, title="x" * 5000), None, time_zone="UTC").subject) <= SUBJECT_MAX


def test_an_order_of_the_other_reading_direction_is_not_passed_on() -> None:
    notice = replace(notice_of(HOLD, None), title="held \u202egnp.exe")
    made = mail(notice, None, time_zone="UTC")
    assert "\u202e" not in made.subject + made.text + made.html


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_own_words(outcome: Outcome) -> None:
    record = replace(rollout_record(), outcome=outcome)
    assert f"Outcome: {outcome.value}\n" in mail(notice_of(RECOVERED, record), record, time_zone="UTC").text

"""A notice says what happened, with the value and the bound, and what to do next."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import rollguard
from rollguard.model.action import DecisionKind
from rollguard.model.lifecycle import Tell
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.policy import Limits, Links, MetricsStore, Mode, Policy, StoreAccess, Timing
from rollguard.model.records import Response
from rollguard.notify import payload, words
from rollguard.notify.said import said
from rollguard.notify.words import TEXT_MAX, TITLES
from rollguard.record.budget import TEXT_MAX as BUDGET_TEXT_MAX
from tests.unit.records import START, rollout_record, set_record, set_unit, unit_record
from tests.unit.undo.colours import Cluster, run, stage

POLICY = Policy(
    name="p",
    digest="d",
    cluster="eu-1",
    time_zone="Europe/Berlin",
    metrics=MetricsStore(
        address="http://127.0.0.1:9090",
        namespace_label="namespace",
        pod_label="pod",
        workload_label="deployment",
        match="",
        auth=StoreAccess(),
        scrape_interval=15,
    ),
    watches=(),
    signals=(),
    timing=Timing(),
    limits=Limits(),
    on_timeout_roll_back=False,
    webhooks=(),
    links=Links(dashboard="https://grafana.example.com/d/deployment-monitoring"),
)
HOLD = Tell(class_=NoticeClass.PAGE, topic="hold", reason="held: error-rate 14.8% > 10%, but frozen by alice")


def test_a_rollback_that_was_ordered_while_nothing_rolled_out_says_from_which_to_which() -> None:
    ordered = replace(rollout_record(), order="o", baseline=None, baseline_number=None, baseline_images=())
    text = words(
        Tell(class_=NoticeClass.PAGE, topic="rolled-back", reason="r"), ordered, unit_record(), POLICY, START
    ).text
    assert "From revision 2 (registry.example.com/translation:v2) back to revision 1" in text
    assert "no revision before it is known" not in text


@pytest.mark.parametrize("reason", ["long " * 2000, "wait\nTime: now\nNext: rm -rf /\n" * 500])
def test_of_a_long_text_the_story_is_cut_and_never_what_to_run_next(reason: str) -> None:
    told = words(replace(HOLD, reason=reason), rollout_record(), unit_record(), POLICY, START)
    assert len(told.text) <= TEXT_MAX < BUDGET_TEXT_MAX
    notice = Notice(id="n", class_=NoticeClass.PAGE, topic="hold", title=told.title, text=told.text, at=START)
    parts = said(notice, rollout_record())
    assert parts.commands[0].line == 'rollguard rollback production translation --reason "..."'
    assert [name for name, _ in parts.links] == ["Dashboard"]


def test_a_hold_names_place_versions_value_bound_time_and_next_command() -> None:
    said = words(HOLD, rollout_record(), unit_record(), POLICY, START.plus(330))
    assert said.title == "Bad release held: a human is needed: production/translation on eu-1"
    for fact in (
        "held: error-rate 14.8% > 10%, but frozen by alice",
        "From revision 1 (registry.example.com/translation:v1) to revision 2 (registry.example.com/translation:v2)",
        "error-rate: 14.8% of 1,234 requests over 5m, bound 10%, on the new pods (since 2026-11-03 02:00:30 UTC",
        "Time: 2026-11-03 02:05:30 UTC (2026-11-03 03:05:30 Europe/Berlin)",
        'Next: rollguard rollback production translation --reason "..."',
        "Incident: rollguard incident show INC-translation-r2",
        "Dashboard: https://grafana.example.com/d/deployment-monitoring?var-namespace=production",
    ):
        assert fact in said.text


def test_a_first_release_says_that_no_version_before_it_is_known() -> None:
    first = replace(rollout_record(), baseline=None, baseline_number=None, baseline_images=())
    assert "no revision before it is known" in words(HOLD, first, unit_record(), POLICY, START).text


def test_without_links_and_time_zone_nothing_is_made_up() -> None:
    plain = replace(POLICY, links=Links(), time_zone="UTC", cluster="")
    said = words(HOLD, None, unit_record(), plain, START)
    assert "http" not in said.text
    assert said.title.endswith(": production/translation")
    assert "Time: 2026-11-03 02:00:00 UTC\n" in said.text


@pytest.mark.parametrize("with_rollout", [True, False])
def test_the_webhook_body_is_the_same_bytes_for_the_same_notice(with_rollout: bool) -> None:
    notice = Notice(id="n-1", class_=NoticeClass.PAGE, topic="hold", title="t", text="x", at=START)
    rollout = rollout_record() if with_rollout else None
    body = payload(notice, rollout)
    assert body == payload(notice, rollout)
    said = json.loads(body)
    assert (said["id"], said["class"], "rollout" in said) == ("n-1", "page", with_rollout)
    if with_rollout:
        assert said["rollout"]["findings"][0]["bound"] == 0.1


WOULD = Response(at=START.plus(330), kind=DecisionKind.ROLL_BACK, would=True, reason="error-rate 14.8% > 10%")
HEALTHY = Tell(class_=NoticeClass.INFO, topic="healthy", reason="nothing was reached")


def test_in_mode_observe_every_later_notice_says_what_would_have_been_done() -> None:
    observed = replace(rollout_record(), mode=Mode.OBSERVE, responses=(WOULD,))
    said = words(HEALTHY, observed, unit_record(), POLICY, START.plus(1900))
    sentence = "would have rolled back at 2026-11-03T02:05:30Z, because error-rate 14.8% > 10%"
    assert f"Mode observe: {sentence}" in said.text
    notice = Notice(id="n-1", class_=NoticeClass.INFO, topic="healthy", title="t", text="x", at=START)
    told = json.loads(payload(notice, observed))["rollout"]
    assert (told["mode"], told["would"]) == ("observe", [sentence])


def test_in_mode_observe_a_notice_says_that_there_would_have_been_no_difference() -> None:
    none = "Mode observe: nothing else would have been done in mode automatic so far."
    observed = replace(rollout_record(), mode=Mode.OBSERVE)
    assert none in words(HEALTHY, observed, unit_record(), POLICY, START).text
    assert "Mode observe" not in words(HEALTHY, rollout_record(), unit_record(), POLICY, START).text
    assert "Mode observe" not in words(HEALTHY, replace(observed, order="o-1"), unit_record(), POLICY, START).text


def test_every_topic_that_the_product_tells_has_a_title() -> None:
    sources = (Path(rollguard.__file__).parent).rglob("*.py")
    told = {topic for source in sources for topic in re.findall(r'topic="([a-z-]+)"', source.read_text())}
    assert len(told) > 10
    assert told <= TITLES.keys()


def test_a_release_set_is_told_member_by_member_with_commands_that_fit_it() -> None:
    at = run(Cluster())
    unit = stage(at.cluster).unit
    why = "half back: backend-service serves blue, frontend-service still green, because it is refused"
    tell = Tell(class_=NoticeClass.PAGE, topic="half-back", reason=why)
    said = words(tell, at.record, unit, POLICY, START)
    assert said.title == "Half back: the rollback has not come to its end, and goes on: production/dubbing on eu-1"
    assert said.text.startswith(why)
    assert "- frontend: from blue (revision 1, frontend:v1) to green (revision 2, frontend:v2)" in said.text
    assert "Next: rollguard status -n production" in said.text
    stopped = words(replace(tell, topic="superseded"), at.record, unit, POLICY, START).text
    assert "kubectl -n production get services,deployments -o wide" in stopped
    assert "deployment/dubbing" not in stopped


def test_a_release_set_is_told_by_member_and_colour() -> None:
    said = words(Tell(class_=NoticeClass.PAGE, topic="half-back", reason="r"), set_record(), set_unit(), POLICY, START)
    assert "- backend: from blue (revision 1, registry.example.com/backend:v1) to green (revision 2, " in said.text
    assert "Next: rollguard status -n production" in said.text
    stalled = words(Tell(class_=NoticeClass.PAGE, topic="stalled", reason="r"), set_record(), set_unit(), POLICY, START)
    assert "Next: kubectl -n production get services,deployments,pods -o wide" in stalled.text
    ordered = replace(set_record(), order="o-1")
    back = words(Tell(class_=NoticeClass.PAGE, topic="rolled-back", reason="r"), ordered, set_unit(), POLICY, START)
    assert "Ordered while nothing rolled out, by rollguard:\n- backend: from green (revision 2, " in back.text


def test_the_webhook_has_a_release_sets_members_with_both_sides() -> None:
    notice = Notice(id="n-1", class_=NoticeClass.PAGE, topic="rolled-back", title="t", text="x", at=START)
    told = json.loads(payload(notice, set_record()))["rollout"]
    assert told["kind"] == "ReleaseSet"
    assert told["members"][1] == {
        "member": "workers",
        "service": None,
        "from": {
            "colour": "blue",
            "workload": "workers-blue",
            "revision": 3,
            "images": {"app": "registry.example.com/workers:v3"},
        },
        "to": {
            "colour": "green",
            "workload": "workers-green",
            "revision": 4,
            "images": {"app": "registry.example.com/workers:v4"},
        },
    }
    assert told["findings"][0]["member"] == "backend"
    plain = json.loads(payload(notice, rollout_record()))["rollout"]
    assert (plain["members"], plain["findings"][0]["member"]) == ([], None)

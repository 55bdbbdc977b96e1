"""What is read of a delivery, and what is said of what cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollguard.adapters.alertmanager import ALERTS_MAX, MANY, Malformed, read_delivery
from rollguard.render.routing import configuration
from tests.simulation.policies import policy
from tests.unit.alertmanager.deliveries import NOW, alert, delivery

LATER = NOW.plus(60)


def read(body: Any) -> Any:
    return read_delivery(json.dumps(body).encode(), now=LATER)


def test_an_alert_becomes_what_its_units_record_keeps() -> None:
    (found,) = read(delivery(alert())).alerts
    kept = found.alert
    assert (kept.name, kept.fingerprint, kept.deployment) == ("CheckoutSlow", "c0ffee", "api")
    # nanoseconds become the milliseconds that a record keeps: else a repeat would be another firing
    assert (kept.starts, kept.recorded, kept.ended) == (NOW, LATER, None)
    assert kept.summary == "Checkout takes longer than 3 s"
    assert dict(found.labels)["namespace"] == "production"


def test_a_resolved_one_has_its_end() -> None:
    (found,) = read(delivery(alert(status="resolved", ends=NOW.plus(30)))).alerts
    assert found.alert.ended == NOW.plus(30)


@pytest.mark.parametrize(
    ("labels", "mutes"),
    [
        ({"severity": "critical", "category": "deployment"}, True),
        ({"severity": "critical", "category": "shop"}, False),
        ({"severity": "warning", "category": "deployment"}, False),
        ({"severity": "critical"}, False),
        ({}, False),
    ],
)
def test_it_is_kept_whether_the_guards_incident_mutes_it(labels: dict[str, str], mutes: bool) -> None:
    told = alert()
    bare = {name: value for name, value in told["labels"].items() if name not in ("severity", "category")}
    (found,) = read(delivery({**told, "labels": {**bare, **labels}})).alerts
    assert found.alert.inhibited is mutes


def test_that_is_what_the_rendered_configuration_mutes() -> None:
    rendered: Any = configuration(policy(), "monitoring")
    first, *_rest = rendered["inhibit_rules"]
    assert first["source_matchers"][0] == 'alertname="GuardIncidentOpen"'
    asked = {"severity": "critical", "category": "deployment"}
    assert first["target_matchers"][:2] == [f'{name}="{value}"' for name, value in asked.items()]
    assert first["target_matchers"][2:] == ['namespace!=""', 'deployment!=""'], "every alert that is kept has them"


def test_words_are_kept_on_one_line_and_cut() -> None:
    told = {**alert(), "annotations": {"summary": "a\nb\x00\u2028 " + "c" * 400}}
    (found,) = read(delivery(told)).alerts
    assert found.alert.summary.startswith("a b c") and len(found.alert.summary) == 300


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "3"}, "version: expected '4', found '3'"),
        ({"version": 4}, r"Expected `str`, got `int` - at `\$.version`"),
        ({"alerts": None}, r"Expected `array`, got `null` - at `\$.alerts`"),
        ({"alerts": {}}, r"Expected `array`, got `object` - at `\$.alerts`"),
        ({"alerts": [1] * (ALERTS_MAX + 1)}, r"Expected `array` of length <= 10000 - at `\$.alerts`"),
    ],
)
def test_another_body_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read(delivery(alert(), **change))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"version": "4"}',
        b'{"version": "4", "x": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=["empty", "cut", "list", "null", "no UTF-8", "without alerts", "half a character", "deep", "deep objects"],
)
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="expected a webhook of Alertmanager, version 4"):
        read_delivery(body, now=NOW)


BAD = {
    "no object": (7, "Expected `object`, got `int`"),
    "without labels": ({"status": "firing"}, "missing required field `labels`"),
    "a label that is a number": ({**alert(), "labels": {"alertname": 1}}, "Expected `str`, got `int`"),
    "another status": ({**alert(), "status": "suppressed"}, "Invalid enum value 'suppressed'"),
    "no name": (alert(alertname=""), "labels.alertname: expected a name of up to 200 characters, found ''"),
    "a name in two lines": (alert(alertname="a\nb"), "labels.alertname: expected"),
    "a start without a zone": ({**alert(), "startsAt": "2026-11-03T02:15:04"}, "startsAt: expected a time such as"),
    "a start that is none": ({**alert(), "startsAt": "2026-13-03T02:15:04Z"}, "startsAt: expected a time such as"),
    "resolved without an end": (alert(status="resolved"), "endsAt: expected a time such as"),
    "no fingerprint": (alert(""), "fingerprint: expected up to 64 letters and digits, found ''"),
    "a path as fingerprint": (alert("../x"), "fingerprint: expected"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD.values(), ids=list(BAD))
def test_one_bad_alert_is_named_and_loses_no_other(bad: Any, reason: str) -> None:
    found = read(delivery(alert("aa"), bad, alert("bb")))
    assert [each.alert.fingerprint for each in found.alerts] == ["aa", "bb"]
    assert [each.number for each in found.alerts] == [0, 2]
    ((number, said),) = [(each.number, each.reason) for each in found.bad]
    assert number == 1 and reason in said


def test_fields_that_are_not_known_are_passed_over() -> None:
    assert len(read(delivery({**alert(), "silencedBy": [1]}, notificationReason="first")).alerts) == 1


def test_any_number_of_alerts_that_alertmanager_left_out_can_be_told() -> None:
    assert read(delivery(alert(), truncatedAlerts=10**40)).truncated == MANY
    assert read(delivery(alert(), truncatedAlerts=-1)).truncated == 0

"""PagerDuty by both of its APIs, against a stand-in that is as strict as their documentation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from lab.standins.pagerduty import PagerDuty as Account
from lab.standins.pagerduty import pagerduty
from rollguard.adapters.pagerduty import PagerDuty
from rollguard.adapters.pagerduty_events import PagerDutyEvents
from rollguard.adapters.secrets import Secrets
from rollguard.model.action import Unknown
from rollguard.model.channels import SecretKey
from rollguard.model.destinations import Paging
from rollguard.model.handling import Acknowledgement, Via
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import RolloutRecord
from rollguard.notify.pages import KEY_MAX
from rollguard.ports import Accepted, NotConfigured, Notifier, Refused, Retry
from tests.unit.records import START, rollout_record

ROUTING = "r" * 32
HOLD = Notice(
    id="translation-r2.hold.1f2e3d4c.1",
    class_=NoticeClass.PAGE,
    topic="hold",
    title="Bad release held: production/translation",
    text="error-rate 14.8% > 10%, but frozen by alice",
    at=START,
)
BACK = replace(HOLD, id="translation-r2.rolled-back.5a6b7c8d.1", topic="rolled-back", title="Rolled back", text="it is")
RECOVERED = replace(
    BACK, id="translation-r2.recovered.9e8d7c6b.1", class_=NoticeClass.INFO, topic="recovered", title="Recovered"
)
WRONG_POLICY = replace(
    HOLD,
    id="monitoring.rollguard-all.policy-invalid.aabbccdd.1793671200",
    topic="policy-invalid",
    title="The policy has mistakes",
)


@pytest_asyncio.fixture
async def account() -> AsyncIterator[Account]:
    async with pagerduty(Account(routing_key=ROUTING)) as running:
        yield running


@pytest.fixture
def mount(account: Account, tmp_path: Path) -> Path:
    """The Secret's files."""
    for key, value in (
        (SecretKey.PAGERDUTY_API_KEY, account.token),
        (SecretKey.PAGERDUTY_SERVICE_ID, account.service_id),
        (SecretKey.PAGERDUTY_ROUTING_KEY, ROUTING),
    ):
        (tmp_path / key).write_text(value + "\n")
    return tmp_path


@pytest_asyncio.fixture
async def rest(account: Account, mount: Path) -> AsyncIterator[PagerDuty]:
    made = PagerDuty(Paging(sender=account.users[0], api=account.url), Secrets(mount), cluster="eu-1")
    yield made
    await made.close()


@pytest_asyncio.fixture
async def events(account: Account, mount: Path) -> AsyncIterator[PagerDutyEvents]:
    made = PagerDutyEvents(Paging(events=account.url), Secrets(mount), cluster="eu-1")
    yield made
    await made.close()


def bad(*taken: Notice, by: str = "pagerduty") -> RolloutRecord:
    """A bad rollout of which these notices were taken."""
    notices = tuple(replace(notice, taken=(by,)) for notice in taken)
    return replace(rollout_record(), incident="INC-1", incident_resolved=None, notices=notices)


async def told(channel: Notifier, notice: Notice, rollout: RolloutRecord | None) -> Accepted:
    outcome = await channel.send(notice, rollout, timeout=5)
    assert isinstance(outcome, Accepted), outcome
    return outcome


async def test_one_bad_release_is_one_incident_with_its_story_and_recovery_resolves_it(
    account: Account, rest: PagerDuty
) -> None:
    opened = await told(rest, HOLD, bad())
    (incident,) = account.incidents
    assert opened.reference == incident.id
    assert incident.key == f"rollguard.{rollout_record().id}"
    assert incident.title == HOLD.title
    assert HOLD.text in incident.details
    noted = await told(rest, BACK, bad(HOLD))
    assert noted.reference == incident.id
    assert incident.notes == [f"Rolled back\nit is\nNotice: {BACK.id}"]
    await told(rest, RECOVERED, bad(HOLD, BACK))
    assert (len(account.incidents), incident.status) == (1, "resolved")
    assert RECOVERED.text in incident.resolution
    assert account.refused == ["Open incident with matching dedup key already exists on this service"]


async def test_a_page_that_is_sent_again_opens_nothing_and_adds_nothing(account: Account, rest: PagerDuty) -> None:
    first = await told(rest, HOLD, bad())
    again = await told(rest, HOLD, bad())
    assert again.reference == first.reference
    for _ in range(2):
        await told(rest, BACK, bad(HOLD))
    assert [len(each.notes) for each in account.incidents] == [1]


async def test_a_page_whose_answer_was_lost_is_one_incident_and_one_note(account: Account, rest: PagerDuty) -> None:
    account.broken = 1
    assert isinstance(await rest.send(HOLD, bad(), timeout=5), Retry)
    assert (await told(rest, HOLD, bad())).reference == account.incidents[0].id
    account.broken = 1
    assert isinstance(await rest.send(BACK, bad(HOLD), timeout=5), Retry)
    await told(rest, BACK, bad(HOLD))
    assert [len(each.notes) for each in account.incidents] == [1]


async def test_two_pages_at_once_are_one_incident_with_both_their_words(account: Account, rest: PagerDuty) -> None:
    await asyncio.gather(told(rest, HOLD, bad()), told(rest, BACK, bad()))
    (incident,) = account.incidents
    assert {incident.title, incident.notes[0].splitlines()[0]} == {HOLD.title, BACK.title}


async def test_a_later_page_reaches_a_person_though_somebody_resolved_the_incident(
    account: Account, rest: PagerDuty
) -> None:
    await told(rest, HOLD, bad())
    account.resolve(account.incidents[0], "Alice")
    await told(rest, BACK, bad(HOLD))
    assert [(each.title, each.status) for each in account.incidents] == [
        (HOLD.title, "resolved"),
        (BACK.title, "triggered"),
    ]


async def test_what_has_recovered_before_its_page_could_be_sent_pages_nobody(account: Account, rest: PagerDuty) -> None:
    over = replace(bad(), incident_resolved=START.plus(60))
    await told(rest, HOLD, over)
    assert account.incidents == []
    await told(rest, HOLD, bad())
    await told(rest, HOLD, over)
    assert account.open() == []


async def test_recovery_without_an_incident_is_no_mistake(account: Account, rest: PagerDuty) -> None:
    await told(rest, RECOVERED, bad())
    assert account.incidents == []
    await told(rest, HOLD, bad())
    for _ in range(2):
        await told(rest, RECOVERED, bad(HOLD))
    assert account.open() == []


async def test_a_notice_of_a_unit_has_a_key_of_unit_and_topic(account: Account, rest: PagerDuty) -> None:
    await told(rest, WRONG_POLICY, None)
    later = replace(WRONG_POLICY, id="monitoring.rollguard-all.policy-invalid.aabbccdd.1793674800")
    await told(rest, later, None)
    (incident,) = account.incidents
    assert incident.key == "rollguard.eu-1.monitoring.rollguard-all.policy-invalid"


@pytest.mark.parametrize("length", [100, 400])
async def test_long_names_keep_within_the_limits(account: Account, rest: PagerDuty, length: int) -> None:
    long = replace(WRONG_POLICY, id=f"{'n' * length}.policy-invalid.a.1", title="t" * 3000, text="x" * 100_000)
    await told(rest, long, None)
    (incident,) = account.incidents
    assert len(incident.key) <= KEY_MAX
    assert len(incident.title) == 1024
    assert incident.details.endswith(f"Notice: {long.id}")


async def test_a_limit_is_obeyed_and_other_answers_are_what_they_are(
    account: Account, rest: PagerDuty, mount: Path
) -> None:
    account.limited = 1
    limited = await rest.send(HOLD, bad(), timeout=5)
    assert isinstance(limited, Retry)
    assert (limited.after, "Rate Limit Exceeded" in limited.detail) == (20, True)
    (mount / SecretKey.PAGERDUTY_SERVICE_ID).write_text("P0")
    other = await rest.send(HOLD, bad(), timeout=5)
    assert isinstance(other, Refused)
    assert "Service Not Found" in other.detail
    (mount / SecretKey.PAGERDUTY_API_KEY).write_text("another")
    assert isinstance(await rest.send(HOLD, bad(), timeout=5), Refused)
    assert account.incidents == []


async def test_a_server_that_is_not_there_is_tried_again(mount: Path) -> None:
    paging = Paging(sender="oncall@example.com", api="http://127.0.0.1:9", events="http://127.0.0.1:9")
    for channel in (
        PagerDuty(paging, Secrets(mount), cluster=""),
        PagerDutyEvents(paging, Secrets(mount), cluster=""),
    ):
        outcome = await channel.send(HOLD, bad(), timeout=2)
        await channel.close()
        assert isinstance(outcome, Retry)


@pytest.mark.parametrize(
    ("key", "sender"),
    [(SecretKey.PAGERDUTY_API_KEY, "a@b.c"), (SecretKey.PAGERDUTY_SERVICE_ID, "a@b.c"), (None, "")],
)
async def test_what_is_missing_is_named_and_taken_up_when_it_comes(
    account: Account, mount: Path, key: SecretKey | None, sender: str
) -> None:
    channel = PagerDuty(Paging(sender=sender and account.users[0], api=account.url), Secrets(mount), cluster="")
    value = (mount / key).read_text() if key is not None else ""
    if key is not None:
        (mount / key).unlink()
    outcome = await channel.send(HOLD, bad(), timeout=5)
    assert isinstance(outcome, NotConfigured)
    assert (key or "notify.pagerduty.from") in outcome.detail
    assert isinstance(await channel.acknowledged("Q1", timeout=5), Unknown)
    if key is not None:
        (mount / key).write_text(value)
        await told(channel, HOLD, bad())
    await channel.close()


async def test_no_key_stands_in_what_is_kept_of_an_answer(account: Account, mount: Path) -> None:
    """A proxy on the way may show in its answer what it was sent."""

    def echo(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(400, text=f"{request.headers['Authorization']} {request.content.decode()}")

    def echo_event(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(400, text=request.content.decode())

    paging, secrets = Paging(sender="oncall@example.com"), Secrets(mount)
    channels: tuple[Notifier, ...] = (
        PagerDuty(paging, secrets, cluster="", transport=httpx2.MockTransport(echo)),
        PagerDutyEvents(paging, secrets, cluster="", transport=httpx2.MockTransport(echo_event)),
    )
    for channel in channels:
        outcome = await channel.send(HOLD, bad(), timeout=5)
        await channel.close()
        assert isinstance(outcome, Refused)
        assert not any(value in outcome.detail for value in (account.token, account.service_id, ROUTING))


async def test_a_key_that_cannot_be_one_is_not_sent(rest: PagerDuty, mount: Path) -> None:
    (mount / SecretKey.PAGERDUTY_API_KEY).write_text("schlüssel")
    outcome = await rest.send(HOLD, bad(), timeout=5)
    assert isinstance(outcome, NotConfigured)
    assert "schlüssel" not in outcome.detail


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            SecretKey.PAGERDUTY_SERVICE_ID,
            "https://example.pagerduty.com/service-directory/PsEcReT",
            "the last part of its",
        ),
        (SecretKey.PAGERDUTY_API_KEY, "two sEcReT", "expected one word"),
    ],
)
async def test_a_key_or_an_id_in_another_form_is_named_with_what_was_expected_and_not_sent(
    rest: PagerDuty, account: Account, mount: Path, key: SecretKey, value: str, said: str
) -> None:
    (mount / key).write_text(value)
    outcome = await rest.send(HOLD, bad(), timeout=5)
    assert isinstance(outcome, NotConfigured)
    assert f"`{key}`" in outcome.detail
    assert said in outcome.detail
    assert "sEcReT" not in outcome.detail
    assert account.incidents == []


async def test_acknowledged_there_is_acknowledged_here_with_name_and_time(account: Account, rest: PagerDuty) -> None:
    reference = (await told(rest, HOLD, bad())).reference
    assert await rest.acknowledged(reference, timeout=5) is None
    account.acknowledge(account.incidents[0], "Alice")
    taken = await rest.acknowledged(reference, timeout=5)
    assert isinstance(taken, Acknowledgement)
    assert (taken.actor, taken.via) == ("Alice", Via.PAGERDUTY)
    account.resolve(account.incidents[0], "Bob")
    resolved = await rest.acknowledged(reference, timeout=5)
    assert isinstance(resolved, Acknowledgement)
    assert resolved.actor == "Bob"


async def test_a_secret_in_a_persons_name_or_in_a_time_is_masked(account: Account, rest: PagerDuty) -> None:
    reference = (await told(rest, HOLD, bad())).reference
    account.acknowledge(account.incidents[0], f"Alice {account.token}")
    taken = await rest.acknowledged(reference, timeout=5)
    assert isinstance(taken, Acknowledgement)
    assert taken.actor == "Alice [pagerduty-api-key]"
    account.incidents[0].acknowledged = ("Alice", account.token)
    strange = await rest.acknowledged(reference, timeout=5)
    assert isinstance(strange, Unknown)
    assert account.token not in strange.detail


async def test_what_pagerduty_does_not_say_is_unknown_and_no_acknowledgement(account: Account, rest: PagerDuty) -> None:
    reference = (await told(rest, HOLD, bad())).reference
    assert isinstance(await rest.acknowledged("Q999999", timeout=5), Unknown)
    assert isinstance(await rest.acknowledged("../users", timeout=5), Unknown)
    account.limited = 1
    assert isinstance(await rest.acknowledged(reference, timeout=5), Unknown)
    account.acknowledge(account.incidents[0], "Alice")
    account.incidents[0].acknowledged = ("Alice", "this morning")
    assert isinstance(await rest.acknowledged(reference, timeout=5), Unknown)


async def test_by_events_one_bad_release_is_one_incident_until_it_recovers(
    account: Account, events: PagerDutyEvents
) -> None:
    for notice in (HOLD, HOLD, BACK):
        await told(events, notice, bad(by="pagerduty-events"))
    (incident,) = account.incidents
    assert (incident.alerts, incident.title) == (3, HOLD.title)
    payload = account.events[0]["payload"]
    assert payload["severity"] == "critical"
    assert payload["source"] == "eu-1/production/translation"
    assert HOLD.text in payload["custom_details"]["text"]
    await told(events, RECOVERED, bad(HOLD, by="pagerduty-events"))
    assert account.open() == []
    assert account.refused == []


async def test_events_say_what_is_missing_and_obey_a_limit(
    account: Account, events: PagerDutyEvents, mount: Path
) -> None:
    account.limited = 1
    assert isinstance(await events.send(HOLD, bad(), timeout=5), Retry)
    account.broken = 1
    assert isinstance(await events.send(HOLD, bad(), timeout=5), Retry)
    await told(events, HOLD, bad())
    assert len(account.incidents) == 1
    (mount / SecretKey.PAGERDUTY_ROUTING_KEY).write_text("short")
    refused = await events.send(HOLD, bad(), timeout=5)
    assert isinstance(refused, Refused)
    assert "routing_key" in refused.detail
    (mount / SecretKey.PAGERDUTY_ROUTING_KEY).unlink()
    missing = await events.send(HOLD, bad(), timeout=5)
    assert isinstance(missing, NotConfigured)
    assert SecretKey.PAGERDUTY_ROUTING_KEY in missing.detail


async def test_what_one_api_opened_the_other_resolves(
    account: Account, rest: PagerDuty, events: PagerDutyEvents
) -> None:
    await told(events, HOLD, bad())
    await told(rest, BACK, bad(HOLD, by="pagerduty-events"))
    assert [len(each.notes) for each in account.incidents] == [1]
    await told(rest, RECOVERED, bad(HOLD))
    assert account.open() == []


async def test_a_notice_that_is_no_page_is_not_pagerdutys_business(
    account: Account, rest: PagerDuty, events: PagerDutyEvents
) -> None:
    began = replace(HOLD, class_=NoticeClass.INFO, topic="rollout-began")
    for channel in (rest, events):
        await told(channel, began, bad())
    assert (account.incidents, account.events) == ([], [])

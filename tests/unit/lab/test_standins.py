"""The stand-ins of Slack, PagerDuty and the guard's receiver refuse what the services' documentation forbids."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from lab.standins.alerts import Taken, taking
from lab.standins.pagerduty import PagerDuty, pagerduty
from lab.standins.slack import Slack, slack

KEY = "r" * 32
TEXT = {"type": "mrkdwn", "text": "*errors*"}
PLAIN = {"type": "plain_text", "text": "Rolled back"}
BUTTON = {"type": "button", "text": PLAIN, "url": "https://grafana.example.com", "action_id": "open"}


def text(length: int, kind: str = "mrkdwn") -> dict[str, str]:
    return {"type": kind, "text": "x" * length}


def signs(written: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": written}


def of(*blocks: Any) -> dict[str, Any]:
    return {"channel": "#deployments", "text": "Rolled back", "blocks": list(blocks)}


def section(**more: Any) -> dict[str, Any]:
    return {"type": "section", **more}


def attached(**more: Any) -> dict[str, Any]:
    return {"channel": "#deployments", "attachments": [{"fallback": "Rolled back", "text": "errors", **more}]}


GOOD = [
    {"channel": "#deployments", "text": "x" * 40_000},
    of({"type": "header", "text": text(150, "plain_text")}, {"type": "divider"}),
    of(section(text=text(3000)), section(fields=[text(1600)] + [TEXT] * 9), section(text=TEXT, accessory=BUTTON)),
    of(section(text=text(3000)), section(text=text(3000)), section(text=text(3000)), section(text=text(600))),
    of(section(fields=[text(2000)]), section(text={**TEXT, "verbatim": True}, expand=True)),
    of({"type": "header", "text": {**PLAIN, "emoji": True}}, section(text=signs("&amp; &lt; &gt; <!here> <@U1>"))),
    of(section(text=signs("<https://grafana.example.com/d/x?a=1&amp;b=2|Dashboard>"))),
    {**of({"type": "divider"}), "unfurl_links": False, "unfurl_media": False},
    of({"type": "context", "elements": [TEXT] * 10}, {"type": "actions", "elements": [BUTTON] * 25}),
    of(*[{"type": "divider"}] * 50),
    attached(color="#d00000"),
    attached(color="danger"),
]
BAD = [
    ({"channel": "#deployments"}, "no_text"),
    ({"channel": "#deployments", "text": "x" * 40_001}, "msg_too_long"),
    ({"channel": "#deployments", "text": ["x"]}, "invalid_payload"),
    (["text"], "invalid_payload"),
    ({"channel": "#deployments", "text": "x", "blocks": {"type": "divider"}}, "invalid_blocks_format"),
    (of(*[{"type": "divider"}] * 51), "invalid_blocks"),
    ({"channel": "#deployments", "blocks": [{"type": "divider"}]}, "no_text"),
    (of({"type": "header", "text": text(151, "plain_text")}), "invalid_blocks"),
    (of({"type": "header", "text": TEXT}), "invalid_blocks"),
    (of(section()), "invalid_blocks"),
    (of(section(text=text(3001))), "invalid_blocks"),
    (of(section(text=text(0))), "invalid_blocks"),
    (of(section(text="plain")), "invalid_blocks"),
    (of(section(text={**TEXT, "emoji": True})), "invalid_blocks"),
    (of(section(fields=[TEXT] * 11)), "invalid_blocks"),
    (of(section(fields=[text(2001)])), "invalid_blocks"),
    (of(section(text=TEXT, accessory={"type": "slider"})), "invalid_blocks"),
    (of({"type": "context", "elements": []}), "invalid_blocks"),
    (of({"type": "context", "elements": [TEXT] * 11}), "invalid_blocks"),
    (of({"type": "actions", "elements": [BUTTON] * 26}), "invalid_blocks"),
    (of({"type": "actions", "elements": [{**BUTTON, "text": TEXT}]}), "invalid_blocks"),
    (of({"type": "actions", "elements": [{**BUTTON, "text": text(76, "plain_text")}]}), "invalid_blocks"),
    (of({"type": "actions", "elements": [{**BUTTON, "url": "x" * 3001}]}), "invalid_blocks"),
    (of({"type": "actions", "elements": [{**BUTTON, "value": "x" * 2001}]}), "invalid_blocks"),
    (of({"type": "actions", "elements": [{**BUTTON, "action_id": "x" * 256}]}), "invalid_blocks"),
    (of({"type": "actions", "elements": [{**BUTTON, "style": "bold"}]}), "invalid_blocks"),
    (of({"type": "heading", "text": PLAIN}), "invalid_blocks"),
    (of({"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}), "invalid_blocks"),
    (of({"type": "divider", "block_id": "x" * 256}), "invalid_blocks"),
    (of(section(text=text(3000)), section(fields=[text(2000)] * 3), section(text=text(601))), "msg_blocks_too_long"),
    (of(section(text=signs("errors > 10%"))), "invalid_blocks"),
    (of(section(fields=[signs("a < b")])), "invalid_blocks"),
    (of({"type": "context", "elements": [signs("this & that")]}), "invalid_blocks"),
    (of(section(text=signs("<https://grafana.example.com/d/x?a=1&b=2|Dashboard>"))), "invalid_blocks"),
    (of(section(text=signs("<script>"))), "invalid_blocks"),
    ({**of({"type": "divider"}), "text": "errors > 10%"}, "invalid_payload"),
    (of(section(text={**TEXT, "color": "red"})), "invalid_blocks"),
    (of(section(text=TEXT, title="errors")), "invalid_blocks"),
    (of({"type": "header", "text": PLAIN, "fields": [TEXT]}), "invalid_blocks"),
    (of({"type": "header", "text": {**PLAIN, "verbatim": True}}), "invalid_blocks"),
    (of({"type": "header", "text": {**PLAIN, "emoji": "yes"}}), "invalid_blocks"),
    (of({"type": "actions", "elements": [{**BUTTON, "href": "https://grafana.example.com"}]}), "invalid_blocks"),
    ({**of({"type": "divider"}), "unfurl_links": "no"}, "invalid_arguments"),
    ({**of({"type": "divider"}), "reply_broadcast": True}, "invalid_arguments"),
    ({**of({"type": "divider"}), "thread_ts": 1700000001.0001}, "invalid_arguments"),
    ({**of({"type": "divider"}), "thread_ts": "2026-11-03T02:00:00Z"}, "invalid_arguments"),
    ({"channel": "#deployments", "attachments": "text"}, "invalid_payload"),
    ({"channel": "#deployments", "attachments": ["text"]}, "invalid_payload"),
    ({"channel": "#deployments", "attachments": [{"fallback": "x"}] * 101}, "too_many_attachments"),
    (attached(fallback=""), "no_text"),
    (attached(color="crimson"), "invalid_payload"),
    (attached(text="x" * 40_001), "msg_too_long"),
    (attached(blocks=[{"type": "divide"}]), "invalid_blocks"),
]


@pytest_asyncio.fixture(scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as made:
        yield made


@pytest_asyncio.fixture(scope="module")
async def slack_() -> AsyncIterator[Slack]:
    made = Slack(token="xoxb-1", webhooks={"T1/B1/s": "#deployments"}, channels=("#deployments",))
    async with slack(made) as running:
        yield running


@pytest.fixture
def workspace(slack_: Slack) -> Iterator[Slack]:
    slack_.posted.clear()
    slack_.refused.clear()
    yield slack_
    slack_.failing.clear()
    slack_.limited = 0
    slack_.archived = slack_.foreign = slack_.read_only = slack_.unthreaded = ()
    slack_.scopes = ("chat:write",)


@pytest_asyncio.fixture(scope="module")
async def pagerduty_() -> AsyncIterator[PagerDuty]:
    async with pagerduty(PagerDuty(routing_key=KEY)) as running:
        yield running


@pytest.fixture
def service(pagerduty_: PagerDuty) -> PagerDuty:
    pagerduty_.events.clear()
    return pagerduty_


async def posted(client: httpx2.AsyncClient, slack_: Slack, message: Any, **headers: str) -> httpx2.Response:
    return await client.post(slack_.api, json=message, headers={"Authorization": f"Bearer {slack_.token}", **headers})


async def test_slack_takes_messages_up_to_every_limit(client: httpx2.AsyncClient, workspace: Slack) -> None:
    for message in GOOD:
        answer = await posted(client, workspace, message)
        assert answer.status_code == 200 and answer.json()["ok"] is True, workspace.refused
        hooked = await client.post(workspace.webhook("T1/B1/s"), json=message)
        assert (hooked.status_code, hooked.text) == (200, "ok")
    assert len(workspace.in_channel("#deployments")) == 2 * len(GOOD)


@pytest.mark.parametrize(("message", "code"), BAD, ids=range(len(BAD)))
async def test_slack_refuses_a_message_over_a_limit(
    client: httpx2.AsyncClient, workspace: Slack, message: Any, code: str
) -> None:
    answer = await posted(client, workspace, message)
    assert (answer.status_code, answer.json()["ok"], answer.json()["error"]) == (200, False, code)
    assert ("response_metadata" in answer.json()) == ("blocks" in code)
    hooked = await client.post(workspace.webhook("T1/B1/s"), json=message)
    assert (hooked.status_code, hooked.text) == (400, code)
    assert workspace.posted == []


async def test_slack_knows_its_tokens_channels_and_webhooks(client: httpx2.AsyncClient, workspace: Slack) -> None:
    message = {"channel": "#deployments", "text": "x"}
    for sent, headers, code in (
        (message, {"Authorization": ""}, "not_authed"),
        (message, {"Authorization": "Bearer xoxb-2"}, "invalid_auth"),
        (message, {"Authorization": "Bearer xoxp-1"}, "not_allowed_token_type"),
        ({**message, "channel": "#nowhere"}, {}, "channel_not_found"),
        ({"text": "x"}, {}, "channel_not_found"),
        ({**message, "token": "xoxb-1"}, {}, "invalid_arguments"),
        (message, {"Content-Type": "text/plain"}, "invalid_post_type"),
        (message, {"Content-Type": ""}, "missing_post_type"),
        (message, {"Content-Type": "application/json; charset=utf-16"}, "invalid_charset"),
    ):
        assert (await posted(client, workspace, sent, **headers)).json()["error"] == code
    answer = await client.post(workspace.webhook("T1/B1/other"), json=message)
    assert (answer.status_code, answer.text) == (404, "no_service")
    threaded = await client.post(workspace.webhook("T1/B1/s"), json={**message, "thread_ts": "1700000001.000100"})
    assert (threaded.status_code, threaded.text) == (400, "invalid_payload")
    broken = await client.post(workspace.webhook("T1/B1/s"), content="{", headers={"Content-Type": "application/json"})
    assert broken.text == "invalid_payload"
    assert workspace.posted == []


async def test_slack_refuses_who_may_not_write_there(client: httpx2.AsyncClient, workspace: Slack) -> None:
    message = {"channel": "#deployments", "text": "x"}

    async def answers() -> tuple[str | None, int, str]:
        by_api = (await posted(client, workspace, message)).json()
        by_hook = await client.post(workspace.webhook("T1/B1/s"), json=message)
        return by_api.get("error"), by_hook.status_code, by_hook.text

    workspace.archived = ("#deployments",)
    assert await answers() == ("is_archived", 410, "channel_is_archived")
    workspace.archived, workspace.read_only = (), ("#deployments",)
    assert await answers() == ("restricted_action_read_only_channel", 403, "action_prohibited")
    workspace.read_only, workspace.foreign = (), ("#deployments",)
    assert await answers() == ("not_in_channel", 200, "ok")
    workspace.scopes = ("chat:write", "chat:write.public")
    assert await answers() == (None, 200, "ok")
    workspace.scopes = ("channels:read",)
    assert await answers() == ("missing_scope", 200, "ok")


async def test_a_reply_stands_in_the_thread_of_its_parent(client: httpx2.AsyncClient, workspace: Slack) -> None:
    message = {"channel": "#deployments", "text": "x"}
    first = (await posted(client, workspace, message)).json()["ts"]
    reply = (await posted(client, workspace, {**message, "thread_ts": first})).json()
    loud = (await posted(client, workspace, {**message, "thread_ts": first, "reply_broadcast": True})).json()
    lost = (await posted(client, workspace, {**message, "thread_ts": "1600000000.000100"})).json()
    assert [each["message"].get("thread_ts") for each in (reply, loud, lost)] == [first, first, None]
    assert [(each.thread, each.seen) for each in workspace.posted] == [
        ("", True),
        (first, False),
        (first, True),
        ("", True),
    ]
    below = (await posted(client, workspace, {**message, "thread_ts": reply["ts"]})).json()
    assert below["error"] == "cannot_reply_to_message"
    workspace.unthreaded = ("#deployments",)
    refused = (await posted(client, workspace, {**message, "thread_ts": first})).json()
    assert refused["error"] == "restricted_action_non_threadable_channel"


async def test_slack_fails_by_itself(client: httpx2.AsyncClient, workspace: Slack) -> None:
    workspace.failing = ["internal_error", "rollup_error"]
    message = {"channel": "#deployments", "text": "x"}
    by_api = await posted(client, workspace, message)
    by_hook = await client.post(workspace.webhook("T1/B1/s"), json=message)
    assert (by_api.status_code, by_api.json()) == (200, {"ok": False, "error": "internal_error"})
    assert (by_hook.status_code, by_hook.text) == (500, "rollup_error")
    assert workspace.posted == []


async def test_a_webhook_writes_to_its_own_channel_whatever_is_asked_for(
    client: httpx2.AsyncClient, workspace: Slack
) -> None:
    await client.post(workspace.webhook("T1/B1/s"), json={"channel": "#elsewhere", "text": "x"})
    assert [each.channel for each in workspace.posted] == ["#deployments"]


async def test_slack_says_when_to_come_again(client: httpx2.AsyncClient, workspace: Slack) -> None:
    workspace.limited, workspace.retry_after = 2, 30
    message = {"channel": "#deployments", "text": "x"}
    answers = [await posted(client, workspace, message), await client.post(workspace.webhook("T1/B1/s"), json=message)]
    assert [(each.status_code, each.headers["Retry-After"]) for each in answers] == [(429, "30"), (429, "30")]
    assert (await posted(client, workspace, message)).status_code == 200


EVENT = {
    "routing_key": KEY,
    "event_action": "trigger",
    "dedup_key": "d" * 255,
    "payload": {"summary": "s" * 1024, "source": "production", "severity": "critical", "custom_details": {"a": "b"}},
    "links": [{"href": "https://runbooks.example.com", "text": "Runbook"}],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good event with one value changed; None takes it away."""
    event = copy.deepcopy(EVENT)
    *way, last = path.split(".")
    place: Any = event
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return event


BAD_EVENTS = [
    (changed("routing_key", None), "'routing_key'"),
    (changed("routing_key", "short"), "'routing_key'"),
    (changed("routing_key", "x" * 32), "of no integration"),
    (changed("event_action", "open"), "'event_action'"),
    (changed("dedup_key", "d" * 256), "'dedup_key' is longer"),
    ({**changed("dedup_key", None), "event_action": "resolve"}, "'dedup_key' is missing"),
    (changed("payload", None), "'payload' is missing"),
    (changed("payload.summary", None), "'payload.summary'"),
    (changed("payload.summary", ""), "'payload.summary'"),
    (changed("payload.summary", "s" * 1025), "'payload.summary'"),
    (changed("payload.source", ""), "'payload.source'"),
    (changed("payload.severity", "fatal"), "'payload.severity'"),
    (changed("payload.custom_details", "text"), "'payload.custom_details'"),
    (changed("links", [{"href": ""}]), "'links'"),
    ([EVENT], "no object"),
]


@pytest.mark.parametrize(("event", "words"), BAD_EVENTS, ids=range(len(BAD_EVENTS)))
async def test_pagerduty_refuses_a_bad_event(
    client: httpx2.AsyncClient, service: PagerDuty, event: Any, words: str
) -> None:
    answer = await client.post(service.enqueue, json=event)
    assert (answer.status_code, answer.json()["status"]) == (400, "invalid event")
    assert words in answer.json()["errors"][0]
    assert service.events == []


async def test_pagerduty_takes_events_up_to_every_limit(client: httpx2.AsyncClient, service: PagerDuty) -> None:
    answer = await client.post(service.enqueue, json=EVENT)
    assert (answer.status_code, answer.json()["dedup_key"]) == (202, EVENT["dedup_key"])
    resolve = {"routing_key": KEY, "event_action": "resolve", "dedup_key": "d"}
    assert (await client.post(service.enqueue, json=resolve)).status_code == 202
    large = changed("payload.custom_details", {"a": "x" * 512 * 1024})
    assert (await client.post(service.enqueue, json=large)).status_code == 413
    assert (await client.post(service.enqueue, content=b"{")).status_code == 400
    service.limited = 1
    assert [(await client.post(service.enqueue, json=EVENT)).status_code for _ in range(2)] == [429, 202]


DELIVERY = {
    "version": "4",
    "groupKey": "{}",
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "rollguard",
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "",
    "alerts": [
        {
            "status": "firing",
            "labels": {},
            "annotations": {},
            "startsAt": "",
            "endsAt": "",
            "generatorURL": "",
            "fingerprint": "1",
        }
    ],
}


async def test_the_guards_receiver_takes_version_4_from_who_has_the_token(client: httpx2.AsyncClient) -> None:
    async with taking(Taken(token="t")) as taken:
        for body, token, status in (
            (DELIVERY, "t", 200),
            (DELIVERY, "u", 401),
            ({**DELIVERY, "version": "3"}, "t", 400),
            ({**DELIVERY, "alerts": [{"status": "firing"}]}, "t", 400),
        ):
            headers = {"Authorization": f"Bearer {token}"}
            assert (await client.post(taken.url, json=body, headers=headers)).status_code == status
        assert taken.deliveries == [DELIVERY]

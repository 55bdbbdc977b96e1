"""The adapter of Slack over real HTTP, against a workspace that is as strict as the published documentation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from lab.standins.slack import Posted
from lab.standins.slack import Slack as Workspace
from lab.standins.slack import slack as serving
from rollguard.adapters.channels import PolicyChannels
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.secrets import Secrets
from rollguard.adapters.slack import WHAT_TO_DO, Slack
from rollguard.model.channels import SLACK_DEPLOYMENTS, SLACK_INCIDENTS, SLACK_WARNINGS, SecretKey
from rollguard.model.destinations import SlackChannels
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import RolloutRecord
from rollguard.model.time import Mono
from rollguard.notify import words
from rollguard.ports import Accepted, NotConfigured, Refused, Retry
from tests.unit.notify.test_words import HOLD, POLICY
from tests.unit.records import START, rollout_record, unit_record

DEPLOYMENTS, WARNINGS, INCIDENTS = "#deployments", "#deployment-warnings", "#production-incidents"
HOOKS = {"T1/B1/sEcReT1": DEPLOYMENTS, "T1/B2/sEcReT2": INCIDENTS}
TOKEN = "xoxb-1-sEcReT3"
OWN = SecretKey.SLACK_WEBHOOK_URL_INCIDENTS


class Hands(SystemClock):
    """A clock that stands until somebody waits."""

    def __init__(self) -> None:
        self.at = 1000.0

    def mono(self) -> Mono:
        return Mono(self.at)

    async def sleep_until(self, when: Mono) -> None:
        self.at = max(self.at, when.seconds)


class Crowd(Hands):
    """A clock that stands until three wait."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until
        self.waits: list[float] = []
        self.over = asyncio.Event()

    async def sleep_until(self, when: Mono) -> None:
        self.waits.append(when.seconds)
        if len(self.waits) == 3:
            self.at = self.until
            self.over.set()
        await self.over.wait()


def notice(number: int = 1, class_: NoticeClass = NoticeClass.PAGE) -> Notice:
    said = words(replace(HOLD, class_=class_), rollout_record(), unit_record(), POLICY, START)
    return Notice(id=f"n-{number}", class_=class_, topic="hold", title=said.title, text=said.text, at=START)


def rollout(name: str = SLACK_INCIDENTS, first: str = "") -> RolloutRecord:
    return replace(rollout_record(), references=((name, first),) if first else ())


@pytest_asyncio.fixture(scope="module")
async def served() -> AsyncIterator[Workspace]:
    made = Workspace(token=TOKEN, webhooks=HOOKS, channels=(DEPLOYMENTS, WARNINGS, INCIDENTS))
    async with serving(made) as running:
        yield running


@pytest.fixture
def workspace(served: Workspace) -> Iterator[Workspace]:
    yield served
    served.posted.clear()
    served.refused.clear()
    served.failing.clear()
    served.limited, served.retry_after, served.token = 0, 1, TOKEN
    served.archived = served.foreign = served.read_only = served.unthreaded = ()
    served.scopes = ("chat:write",)


class Ground:
    """A mounted secret, a clock, and the channel of incidents."""

    def __init__(self, directory: Path, workspace: Workspace) -> None:
        self.directory = directory
        self.workspace = workspace
        self.clock: Hands = Hands()
        self.slack = self.channel(SLACK_INCIDENTS)

    def channel(self, name: str) -> Slack:
        channels = SlackChannels(api=self.workspace.api.removesuffix("/chat.postMessage"))
        return Slack(name, channels, secrets=Secrets(self.directory), clock=self.clock)

    def put(self, key: SecretKey, value: str) -> None:
        (self.directory / key).write_text(f"{value}\n")

    @property
    def seen(self) -> list[tuple[str, str, bool]]:
        """(channel, thread, seen in the channel) of every message."""
        return [(each.channel, each.thread, each.seen) for each in self.workspace.posted]


@pytest_asyncio.fixture
async def ground(tmp_path: Path, workspace: Workspace) -> AsyncIterator[Ground]:
    made = Ground(tmp_path, workspace)
    yield made
    await made.slack.close()


async def test_without_a_secret_slack_is_not_configured_and_takes_it_up_when_it_comes(ground: Ground) -> None:
    absent = await ground.slack.send(notice(), rollout(), timeout=5)
    assert isinstance(absent, NotConfigured)
    for key in ("slack-bot-token", "slack-webhook-url-incidents", "slack-webhook-url"):
        assert key in absent.detail
    ground.put(SecretKey.SLACK_WEBHOOK_URL, ground.workspace.webhook("T1/B1/sEcReT1"))
    assert isinstance(await ground.slack.send(notice(), rollout(), timeout=5), Accepted)
    assert ground.seen == [(DEPLOYMENTS, "", True)]


async def test_a_channels_own_webhook_goes_before_the_one_for_all(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_WEBHOOK_URL, ground.workspace.webhook("T1/B1/sEcReT1"))
    ground.put(OWN, ground.workspace.webhook("T1/B2/sEcReT2"))
    outcome = await ground.slack.send(notice(), rollout(first="1700000001.000100"), timeout=5)
    # A webhook says no time of its message: there is nothing to put a later one below.
    assert outcome == Accepted(detail="HTTP 200 ok", reference="")
    assert ground.seen == [(INCIDENTS, "", True)]


async def test_a_token_reaches_all_three_channels_and_goes_before_webhooks(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_WEBHOOK_URL, ground.workspace.webhook("T1/B1/sEcReT1"))
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    for name in (SLACK_DEPLOYMENTS, SLACK_WARNINGS, SLACK_INCIDENTS):
        by = ground.channel(name)
        assert isinstance(await by.send(notice(), rollout(), timeout=5), Accepted)
        await by.close()
    assert ground.seen == [(DEPLOYMENTS, "", True), (WARNINGS, "", True), (INCIDENTS, "", True)]


async def test_the_channels_of_a_policy_write_where_it_says(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    slack = replace(SlackChannels(), api=ground.workspace.api.removesuffix("/chat.postMessage"), warnings=INCIDENTS)
    connected = PolicyChannels(Secrets(ground.directory), ground.clock).connect(replace(POLICY, slack=slack))
    by_name = {notifier.name: notifier for notifier in connected}
    for name in (SLACK_DEPLOYMENTS, SLACK_WARNINGS, SLACK_INCIDENTS):
        assert isinstance(await by_name[name].send(notice(), rollout(), timeout=5), Accepted)
    for notifier in connected:
        await notifier.close()
    assert [each.channel for each in ground.workspace.posted] == [DEPLOYMENTS, INCIDENTS, INCIDENTS]


async def test_later_notices_go_into_the_rollouts_thread_and_pages_are_seen_in_the_channel_too(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    first = await ground.slack.send(notice(1, NoticeClass.INFO), rollout(), timeout=5)
    assert isinstance(first, Accepted)
    assert first.reference == ground.workspace.posted[0].ts
    record = rollout(first=first.reference)
    for number, class_ in ((2, NoticeClass.INFO), (3, NoticeClass.PAGE)):
        later = await ground.slack.send(notice(number, class_), record, timeout=5)
        assert isinstance(later, Accepted)
        assert later.reference == first.reference, "replies are put below the first message, not below each other"
    thread = first.reference
    assert ground.seen == [(INCIDENTS, "", True), (INCIDENTS, thread, False), (INCIDENTS, thread, True)]


async def test_another_channels_thread_is_not_its_own(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    await ground.slack.send(notice(), rollout(SLACK_DEPLOYMENTS, "1700000001.000100"), timeout=5)
    assert ground.seen == [(INCIDENTS, "", True)]


@pytest.mark.parametrize("first", ["1600000000.000100", "INC-1", "1700000001"])
async def test_a_thread_that_is_gone_or_none_keeps_no_notice_from_the_channel(ground: Ground, first: str) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    outcome = await ground.slack.send(notice(1, NoticeClass.INFO), rollout(first=first), timeout=5)
    assert isinstance(outcome, Accepted)
    assert outcome.reference == ground.workspace.posted[0].ts
    assert ground.seen == [(INCIDENTS, "", True)]


async def test_a_channel_that_takes_no_replies_gets_the_notice_itself(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    ground.workspace.unthreaded = (INCIDENTS,)
    assert isinstance(await ground.slack.send(notice(), rollout(first="1700000001.000100"), timeout=5), Accepted)
    assert ground.seen == [(INCIDENTS, "", True)]
    (refused,) = ground.workspace.refused
    assert refused.startswith("restricted_action_non_threadable_channel")


async def test_a_refusal_with_status_200_is_a_refusal_and_says_what_to_do(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    there = ground.workspace
    there.foreign = (INCIDENTS,)
    assert await ground.slack.send(notice(), None, timeout=5) == Refused(
        detail="not_in_channel: invite the app to #production-incidents, or give it the scope chat:write.public"
    )
    there.foreign, there.archived = (), (INCIDENTS,)
    assert await ground.slack.send(notice(), None, timeout=5) == Refused(
        detail="is_archived: #production-incidents is archived"
    )
    there.archived, there.scopes = (), ()
    refused = await ground.slack.send(notice(), None, timeout=5)
    assert isinstance(refused, Refused)
    assert refused.detail.startswith("missing_scope: give the app the scope chat:write")
    there.token = "xoxb-2"
    refused = await ground.slack.send(notice(), None, timeout=5)
    assert isinstance(refused, Refused)
    assert refused.detail.startswith("invalid_auth: put the Bot User OAuth Token")
    assert there.posted == []


@pytest.mark.parametrize("code", ["internal_error", "fatal_error", "service_unavailable", "message_limit_exceeded"])
async def test_what_slack_itself_fails_at_is_tried_again(ground: Ground, code: str) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    ground.workspace.failing = [code]
    assert await ground.slack.send(notice(), None, timeout=5) == Retry(after=5.0, detail=code)
    ground.put(OWN, ground.workspace.webhook("T1/B2/sEcReT2"))
    (ground.directory / SecretKey.SLACK_BOT_TOKEN).unlink()
    ground.workspace.failing = ["rollup_error"]
    assert await ground.slack.send(notice(), None, timeout=5) == Retry(after=5.0, detail="rollup_error")


async def test_a_webhooks_refusal_says_what_to_do(ground: Ground) -> None:
    ground.put(OWN, ground.workspace.webhook("T1/B3/sEcReT4"))
    refused = await ground.slack.send(notice(), None, timeout=5)
    assert isinstance(refused, Refused)
    assert refused.detail == (
        "no_service: the webhook was revoked or never was:"
        " put the address of a new one into slack-webhook-url-incidents"
    )
    ground.put(OWN, ground.workspace.webhook("T1/B2/sEcReT2"))
    ground.workspace.archived = (INCIDENTS,)
    assert await ground.slack.send(notice(), None, timeout=5) == Refused(
        detail="channel_is_archived: the channel is archived"
    )
    ground.workspace.archived, ground.workspace.read_only = (), (INCIDENTS,)
    refused = await ground.slack.send(notice(), None, timeout=5)
    assert isinstance(refused, Refused)
    assert refused.detail.startswith("action_prohibited: ")


@pytest.mark.parametrize("key", [SecretKey.SLACK_BOT_TOKEN, OWN])
async def test_after_429_nothing_is_asked_before_the_time_that_slack_named(ground: Ground, key: SecretKey) -> None:
    there = ground.workspace
    ground.put(key, TOKEN if key is SecretKey.SLACK_BOT_TOKEN else there.webhook("T1/B2/sEcReT2"))
    there.limited, there.retry_after = 2, 30
    outcome = await ground.slack.send(notice(), None, timeout=5)
    assert isinstance(outcome, Retry)
    assert outcome.after == 30
    ground.clock.at += 10
    assert await ground.slack.send(notice(2), None, timeout=5) == Retry(after=20, detail="Slack asked to wait")
    assert there.limited == 1, "the second was not sent"
    there.limited = 0
    ground.clock.at += 17
    # What is left of the pause is shorter than the send may take: it waits, and is no attempt lost.
    assert isinstance(await ground.slack.send(notice(3), None, timeout=5), Accepted)
    assert ground.clock.at == 1030


async def test_after_a_pause_what_waited_goes_one_after_the_other(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    ground.workspace.limited, ground.workspace.retry_after = 1, 30
    ground.clock = crowd = Crowd(until=1032)
    by = ground.channel(SLACK_INCIDENTS)
    await by.send(notice(), None, timeout=5)
    outcomes = await asyncio.gather(*(by.send(notice(n), None, timeout=60) for n in range(3)))
    await by.close()
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert crowd.waits == [1030, 1031, 1032]


async def test_the_code_for_too_many_with_status_200_is_a_pause_too(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    ground.workspace.failing = ["ratelimited"]
    assert await ground.slack.send(notice(), None, timeout=1) == Retry(after=5.0, detail="ratelimited")
    assert isinstance(await ground.slack.send(notice(), None, timeout=1), Retry)
    assert ground.workspace.posted == []


async def test_every_notice_can_be_told_from_its_repeat(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    for _ in range(2):
        await ground.slack.send(notice(7), rollout(), timeout=5)
    assert [_foot(each) for each in ground.workspace.posted] == ["n-7", "n-7"]


def _foot(posted: Posted) -> str:
    text = posted.message["blocks"][-1]["elements"][0]["text"]
    assert isinstance(text, str)
    return text.rpartition("notice ")[2]


MISTAKES = [
    (OWN, "hooks.slack.com/services/sEcReT"),
    (OWN, "http://hooks.slack.com/services/sEcReT"),
    (OWN, "https://[sEcReT"),
    (OWN, "https://hooks.slack.com/services/sEc\x01ReT"),
    (OWN, "https:///sEcReT"),
    (OWN, "ftp://hooks.slack.com/sEcReT"),
    (SecretKey.SLACK_BOT_TOKEN, "xoxp-sEcReT"),
    (SecretKey.SLACK_BOT_TOKEN, "xoxb-sEcReT\nx"),
    (SecretKey.SLACK_BOT_TOKEN, "xoxb-sEcReTü"),
]


@pytest.mark.parametrize(("key", "value"), MISTAKES, ids=range(len(MISTAKES)))
async def test_a_secret_that_is_none_is_told_by_its_key_alone(ground: Ground, key: SecretKey, value: str) -> None:
    ground.put(key, value)
    outcome = await ground.slack.send(notice(), None, timeout=5)
    assert isinstance(outcome, NotConfigured)
    assert outcome.detail.startswith(f"{key}: expected ")
    assert "secret" not in repr(outcome).lower()
    assert ground.workspace.posted == []


async def test_a_token_that_is_none_hinders_no_webhook_and_is_named(ground: Ground) -> None:
    ground.put(SecretKey.SLACK_BOT_TOKEN, f'"{TOKEN}"')
    ground.put(SecretKey.SLACK_WEBHOOK_URL, ground.workspace.webhook("T1/B1/sEcReT1"))
    outcome = await ground.slack.send(notice(), rollout(), timeout=5)
    assert outcome == Accepted(
        detail="HTTP 200 ok; by slack-webhook-url, for slack-bot-token: expected a bot's token, which begins with xoxb-"
    )
    assert len(ground.workspace.posted) == 1


async def _answering(ground: Ground, respond: httpx2.Response | type[httpx2.HTTPError]) -> tuple[object, object]:
    """What comes of such an answer to a webhook's message, and to a bot's."""

    def handler(request: httpx2.Request) -> httpx2.Response:
        if isinstance(respond, httpx2.Response):
            return httpx2.Response(respond.status_code, content=respond.content, headers=respond.headers)
        raise respond(f"cannot reach {request.url} with {request.headers}")

    outcomes = []
    for key, value in ((OWN, "https://hooks.slack.com/services/T1/B2/sEcReT"), (SecretKey.SLACK_BOT_TOKEN, TOKEN)):
        ground.put(key, value)
        over = httpx2.MockTransport(handler)
        secrets = Secrets(ground.directory)
        by = Slack(SLACK_INCIDENTS, SlackChannels(), secrets=secrets, clock=ground.clock, transport=over)
        outcomes.append(await by.send(notice(), rollout(), timeout=5))
        await by.close()
    (ground.directory / SecretKey.SLACK_BOT_TOKEN).unlink()
    return outcomes[0], outcomes[1]


@pytest.mark.parametrize(
    "respond",
    [
        httpx2.ConnectError,
        httpx2.ReadTimeout,
        httpx2.UnsupportedProtocol,
        httpx2.RemoteProtocolError,
        httpx2.Response(502, text="<html>cannot POST /services/T1/B2/sEcReT"),
        httpx2.Response(200, text="<html>log in to the Wi-Fi of sEcReT"),
        httpx2.Response(200, json={"answer": "sEcReT"}),
        httpx2.Response(200, json={"ok": "sEcReT"}),
        httpx2.Response(200, content=b"\xff\xfe"),
        httpx2.Response(408),
    ],
    ids=str,
)
async def test_no_answer_of_slack_is_no_answer_and_tells_no_secret(
    ground: Ground, respond: httpx2.Response | type[httpx2.HTTPError]
) -> None:
    for outcome in await _answering(ground, respond):
        assert isinstance(outcome, Retry)
        assert "sEcReT" not in repr(outcome)


@pytest.mark.parametrize(
    "respond",
    [
        httpx2.Response(404, text="cannot POST /services/T1/B2/sEcReT"),
        httpx2.Response(302, headers={"Location": "https://example.com/sEcReT"}),
        httpx2.Response(403, json={"ok": False, "error": "sEcReT {channel} {0}"}),
    ],
    ids=str,
)
async def test_what_nobody_knows_is_a_refusal_and_tells_no_secret(ground: Ground, respond: httpx2.Response) -> None:
    for outcome in await _answering(ground, respond):
        assert outcome == Refused(detail=f"HTTP {respond.status_code}")


async def test_what_is_wrong_with_blocks_is_told_with_the_secret_left_out(ground: Ground) -> None:
    said = {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": [f"no {{x}} for {TOKEN}"]}}
    _, by_bot = await _answering(ground, httpx2.Response(200, json=said))
    assert isinstance(by_bot, Refused)
    assert by_bot.detail == "invalid_blocks: no {x} for [slack-bot-token]"


async def test_the_log_tells_no_secret(ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ground.put(OWN, ground.workspace.webhook("T1/B2/sEcReT2"))
    await ground.slack.send(notice(), None, timeout=5)
    ground.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    await ground.slack.send(notice(), None, timeout=5)
    assert len(ground.workspace.posted) == 2
    assert "sEcReT" not in caplog.text


def test_all_that_is_to_be_done_can_be_said() -> None:
    for code, text in WHAT_TO_DO.items():
        assert "{" not in text.format(channel=INCIDENTS, key=OWN), code

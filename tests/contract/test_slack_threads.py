"""From the outbox to Slack over real HTTP: which messages come where, and what of it the record keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio

from lab.standins.slack import Slack as Workspace
from lab.standins.slack import slack as serving
from rollguard.adapters.channels import PolicyChannels
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.secrets import Secrets
from rollguard.loop.leader import Gate
from rollguard.loop.outbox import Outbox
from rollguard.loop.settings import Settings
from rollguard.loop.store import Store
from rollguard.model.channels import SLACK_DEPLOYMENTS, SLACK_INCIDENTS, SecretKey
from rollguard.model.destinations import SlackChannels, TeamChannels
from rollguard.model.notices import Notice, NoticeClass, NoticeState
from rollguard.model.records import RolloutRecord
from rollguard.notify import words
from rollguard.ports import Held
from rollguard.sim.faults import FaultPlan
from rollguard.sim.process import Process
from rollguard.sim.records import SimRecords
from rollguard.sim.world import World
from tests.unit.notify.test_words import HOLD, POLICY
from tests.unit.records import START, rollout_record, unit_record

DEPLOYMENTS, INCIDENTS = "#deployments", "#production-incidents"
VIDEO, FIRE = "#video", "#video-fire"
TOKEN = "xoxb-1"
TEAMS = (
    TeamChannels(team="audio", deployments="#audio", incidents="#audio-fire"),
    TeamChannels(team="video", deployments=VIDEO, incidents=FIRE),
)
"""Nobody has made the channels of `audio`."""


def notice(number: int, class_: NoticeClass) -> Notice:
    tell = replace(HOLD, class_=class_)
    said = words(tell, rollout_record(), unit_record(), POLICY, START)
    return Notice(id=f"n-{number}", class_=class_, topic="hold", title=said.title, text=said.text, at=START)


class Post:
    """An outbox over records in memory, with the channels of the policy and a mounted Secret."""

    def __init__(self, directory: Path, workspace: Workspace) -> None:
        self.directory = directory
        self.workspace = workspace
        self.clock = SystemClock()
        world = World(1)
        self.server = world.records
        process, faults = Process("guard"), FaultPlan(1)
        gate = Gate(self.clock)
        gate.hold(Held(until=self.clock.mono().plus(1000), epoch=7))
        settings = Settings(namespace="rollguard")
        self.store = Store(SimRecords(self.server, process, faults), gate, settings, lambda _event, _fields: None)
        self.outbox = Outbox(
            store=self.store,
            channels=PolicyChannels(Secrets(directory), self.clock),
            policy=replace(
                POLICY, slack=SlackChannels(api=workspace.api.removesuffix("/chat.postMessage"), teams=TEAMS)
            ),
            gate=gate,
            clock=self.clock,
            settings=settings,
            log=lambda _event, _fields: None,
        )

    def put(self, key: SecretKey, value: str) -> None:
        (self.directory / key).write_text(value)

    async def begin(self) -> None:
        self.server.create_unit(replace(unit_record(), current_rollout=rollout_record().id))
        self.server.create_rollout(replace(rollout_record(), plan=None, closed=None, epoch=3))
        assert await self.store.load()

    async def tell(self, *notices: Notice) -> RolloutRecord:
        """Sends these until nothing of them is due; the record after it."""
        await self.store.change_rollout(rollout_record().id, lambda r: replace(r, notices=(*r.notices, *notices)))
        async with asyncio.TaskGroup() as sending:
            await self.outbox.send_due(sending)
        record = self.store.known(rollout_record().id)
        assert record is not None
        return record


@pytest_asyncio.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    hooks = {"T1/B1/s": DEPLOYMENTS}
    async with serving(
        Workspace(token=TOKEN, webhooks=hooks, channels=(DEPLOYMENTS, INCIDENTS, VIDEO, FIRE))
    ) as workspace:
        made = Post(tmp_path, workspace)
        await made.begin()
        yield made
        await made.outbox.close()


async def test_a_rollout_has_one_thread_in_each_channel_and_its_record_knows_them(post: Post) -> None:
    post.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    began = await post.tell(notice(1, NoticeClass.INFO))
    (first,) = post.workspace.posted
    assert began.references == ((SLACK_DEPLOYMENTS, first.ts),)
    held = await post.tell(notice(2, NoticeClass.PAGE))
    again = await post.tell(notice(3, NoticeClass.PAGE))
    incident = held.reference(SLACK_INCIDENTS)
    assert again.references == held.references == ((SLACK_DEPLOYMENTS, first.ts), (SLACK_INCIDENTS, incident))
    assert [(each.thread, each.seen) for each in post.workspace.in_channel(DEPLOYMENTS)] == [
        ("", True),
        (first.ts, True),
        (first.ts, True),
    ]
    assert [each.thread for each in post.workspace.in_channel(INCIDENTS)] == ["", incident]
    assert {each.state for each in again.notices} == {NoticeState.ACCEPTED}
    assert post.workspace.refused == []


async def test_one_webhook_for_all_gets_each_notice_once(post: Post) -> None:
    post.put(SecretKey.SLACK_WEBHOOK_URL, post.workspace.webhook("T1/B1/s"))
    record = await post.tell(notice(1, NoticeClass.INFO), notice(2, NoticeClass.WARNING), notice(3, NoticeClass.PAGE))
    said = sorted(str(each.message["text"]).partition(":")[0] for each in post.workspace.in_channel(DEPLOYMENTS))
    assert said == ["Information", "Page", "Warning"]
    assert record.references == ()


async def test_a_page_goes_to_another_channel_where_its_own_is_refused(post: Post) -> None:
    post.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    post.workspace.archived = (INCIDENTS,)
    record = await post.tell(notice(1, NoticeClass.PAGE))
    assert [each.channel for each in post.workspace.posted] == [DEPLOYMENTS]
    (told,) = record.notices
    assert f"{SLACK_INCIDENTS} refused: is_archived: {INCIDENTS} is archived" in told.detail


def of_team(team: str, number: int, class_: NoticeClass) -> Notice:
    return replace(notice(number, class_), team=team)


async def test_a_team_reads_its_rollouts_in_its_own_channels_and_its_pages_reach_the_others_too(post: Post) -> None:
    post.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    await post.tell(of_team("video", 1, NoticeClass.INFO))
    record = await post.tell(of_team("video", 2, NoticeClass.PAGE))
    assert post.workspace.in_channel(DEPLOYMENTS) == []
    first, later = post.workspace.in_channel(VIDEO)
    (fire,), (incident,) = post.workspace.in_channel(FIRE), post.workspace.in_channel(INCIDENTS)
    assert (later.thread, later.seen) == (first.ts, True)
    assert record.references == (
        ("slack-deployments@video", first.ts),
        (SLACK_INCIDENTS, incident.ts),
        ("slack-incidents@video", fire.ts),
    )
    assert {each.state for each in record.notices} == {NoticeState.ACCEPTED}


async def test_what_a_teams_wrong_channel_does_not_take_comes_to_the_channel_of_all(post: Post) -> None:
    post.put(SecretKey.SLACK_BOT_TOKEN, TOKEN)
    record = await post.tell(of_team("audio", 1, NoticeClass.PAGE))
    assert sorted(each.channel for each in post.workspace.posted) == [DEPLOYMENTS, INCIDENTS]
    (told,) = record.notices
    assert told.state is NoticeState.ACCEPTED
    assert "slack-deployments@audio refused: channel_not_found: there is no #audio that the app may see" in told.detail


async def test_a_webhook_cannot_choose_a_teams_channel(post: Post) -> None:
    post.put(SecretKey.SLACK_WEBHOOK_URL, post.workspace.webhook("T1/B1/s"))
    record = await post.tell(of_team("video", 1, NoticeClass.PAGE))
    assert [each.channel for each in post.workspace.posted] == [DEPLOYMENTS]
    (told,) = record.notices
    assert told.state is NoticeState.ACCEPTED

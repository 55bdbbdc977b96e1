"""Which channel gets which notices, how often: a golden table of the main stories, rolling and blue-green.

Where a controller is killed between sending and marking the same notices arrive, one of them again under its own id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rollguard.model.channels import FIXED, OWN_WEBHOOKS, PAGERDUTY, SLACK_DEPLOYMENTS, TICKETS
from rollguard.model.destinations import SlackChannels, TeamChannels
from rollguard.model.notices import Notice
from rollguard.model.policy import Mode, Policy
from rollguard.model.records import RolloutRecord
from rollguard.ports import Accepted, NotConfigured, Notifier, Refused, Retry
from rollguard.sim.channels import Inbox, SimChannels, SimNotifier
from rollguard.sim.faults import Fault
from tests.simulation import policies
from tests.unit.loop.colours import UNIT, Colours, play_set, set_policy
from tests.unit.loop.stage import CRASHING, FAILING, Running, Stage, play
from tests.unit.loop.test_quieting import MINUTES, QUIET
from tests.unit.loop.test_sets import ALL

GOLDEN = Path(__file__).parents[2] / "golden" / "notices.txt"
FINE = "registry.lab/api:v2"
EVERY = tuple(name for name in FIXED if name != TICKETS)
THREE_KEYS = (*OWN_WEBHOOKS, PAGERDUTY)
"""What the platform's three keys configure; its three channels of Slack are one webhook."""

VIDEO = TeamChannels(team="video", deployments="#video", incidents="#video-fire")
OF_A_TEAM = (*EVERY, *VIDEO.named())


class Absent:
    """A channel whose secret is not there."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(
        self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float
    ) -> Accepted | Refused | Retry | NotConfigured:
        return NotConfigured(detail="no secret")

    async def close(self) -> None:
        """There is nothing to end."""


class Desk(SimChannels):
    """All channels, with what arrived by each."""

    def __init__(self, running: Running, configured: tuple[str, ...]) -> None:
        self.inboxes = {name: Inbox() for name in configured}
        self._one_webhook = configured == THREE_KEYS
        made: list[Notifier] = [Absent(name) for name in EVERY if name not in configured]
        made += [SimNotifier(inbox, running.process, running.faults, name=name) for name, inbox in self.inboxes.items()]
        super().__init__(*made)

    def place(self, channel: str, policy: Policy) -> str:
        return SLACK_DEPLOYMENTS if self._one_webhook and channel in OWN_WEBHOOKS else channel

    def take_over(self, running: Running) -> None:
        """The channels of another controller: what arrives comes to the same inboxes."""
        named = {notifier.name for notifier in self.notifiers} - self.inboxes.keys()
        made: list[Notifier] = [Absent(name) for name in sorted(named)]
        made += [SimNotifier(inbox, running.process, running.faults, name=name) for name, inbox in self.inboxes.items()]
        self.notifiers = tuple(made)
        running.guard._context.outbox._connections.channels = self

    def rows(self) -> list[str]:
        """channel, class, topic, how many different notices."""
        counted: Counter[tuple[str, str, str]] = Counter()
        for name, inbox in self.inboxes.items():
            notices = {arrived.notice.id: arrived.notice for arrived in inbox.arrived}
            counted.update((name, each.class_.value, each.topic) for each in notices.values())
        return [f"{channel:18} {class_:8} {topic:18} {n}" for (channel, class_, topic), n in sorted(counted.items())]

    def repeats(self) -> list[str]:
        """Ids that came to a channel more than once."""
        counted = Counter((name, a.notice.id) for name, inbox in self.inboxes.items() for a in inbox.arrived)
        return [f"{name} {id_}" for (name, id_), n in counted.items() if n > 1]


def begun(stage: Stage, configured: tuple[str, ...]) -> tuple[Running, Desk]:
    running = stage.prepare("guard-0")
    desk = Desk(running, configured)
    running.guard._context.outbox._connections.channels = desk
    running.begin()
    return running, desk


def rolling(
    image: str,
    *,
    policy: Policy | None = None,
    configured: tuple[str, ...] = EVERY,
    killed_at: int | None = None,
    told_within: float = 60,
) -> Desk:
    """A release of that image, to the end of its rollout."""
    desks: list[Desk] = []

    async def story(stage: Stage) -> None:
        running, desk = begun(stage, configured)
        desks.append(desk)
        await stage.until(stage.adopted)
        if killed_at is not None:
            running.faults.focus = ("notifier.send", Fault.KILLED_AFTER, killed_at)
        stage.world.set_image(stage.api, image)
        if killed_at is not None:
            await stage.until(lambda: not running.process.alive, within=300)
            await running.kill()
            following = stage.prepare("guard-1")
            desk.take_over(following)
            following.begin()
        await ended(stage, told_within)

    play(story, policy=policy or policies.policy())
    return desks[0]


async def ended(stage: Stage, told_within: float = 60) -> None:
    await stage.until(lambda: bool(stage.rollouts()) and stage.rollout().closed is not None, within=900)
    await stage.until(stage.all_sent, within=told_within)


def of_a_team(policy: Policy) -> Policy:
    """The policy whose workloads are a team's, which has two channels of Slack of its own."""
    watches = tuple(replace(watch, team=VIDEO.team) for watch in policy.watches)
    return replace(policy, watches=watches, slack=SlackChannels(teams=(VIDEO,)))


def repeating(policy: Policy) -> Policy:
    """The policy by which what stands is told again after 30 s, and a page is to be acknowledged within 20."""
    return replace(policy, timing=replace(policy.timing, respond_within=20.0, repeat_notice=30.0))


def switched(image: str, *, configured: tuple[str, ...] = EVERY) -> Desk:
    """A switch of the release set to green with that image in its backend, to the end of its rollout."""
    desks: list[Desk] = []

    async def story(stage: Stage, colours: Colours) -> None:
        desks.append(begun(stage, configured)[1])
        await stage.until(colours.adopted)
        colours.release(image, "backend")
        colours.release(FINE, "frontend", "workers")
        await stage.until(lambda: colours.ready(*ALL))
        colours.switch("backend", "frontend")
        await ended(stage)

    play_set(story, policy=set_policy())
    return desks[0]


def one_by_one() -> Desk:
    """A switch of the release set whose frontend gets its version, and is switched, once the others are under guard."""
    desks: list[Desk] = []

    async def story(stage: Stage, colours: Colours) -> None:
        desks.append(begun(stage, EVERY)[1])
        await stage.until(colours.adopted)
        colours.release(FINE, "backend", "workers")
        await stage.until(lambda: colours.ready("backend", "workers"))
        colours.switch("backend")
        await stage.until(lambda: any(r.unit == UNIT for r in stage.rollouts()))
        colours.release(FINE, "frontend")
        await stage.until(lambda: colours.ready("frontend"))
        colours.switch("frontend")
        await stage.until(lambda: any(len(r.passages) == len(ALL) and r.closed for r in stage.rollouts()), within=900)
        await stage.until(stage.all_sent, within=60)

    policy = set_policy()
    play_set(story, policy=replace(policy, timing=replace(policy.timing, join_within=60.0)))
    return desks[0]


STORIES: dict[str, Callable[[], Desk]] = {
    "rolling: a healthy release": lambda: rolling(FINE),
    "rolling: errors, rolled back": lambda: rolling(FAILING),
    "rolling: a crash loop, rolled back": lambda: rolling(CRASHING),
    "rolling: errors, rolled back, with the platform's three keys": lambda: rolling(FAILING, configured=THREE_KEYS),
    "rolling: errors in mode observe": lambda: rolling(FAILING, policy=policies.policy(mode=Mode.OBSERVE)),
    "rolling: errors in mode approve, and nobody answers": lambda: rolling(
        FAILING, policy=policies.policy(mode=Mode.APPROVE)
    ),
    "rolling: errors in mode approve, and nobody answers, with pages that are repeated": lambda: rolling(
        FAILING, policy=repeating(policies.policy(mode=Mode.APPROVE))
    ),
    "rolling: a healthy release in quiet hours": lambda: rolling(FINE, policy=QUIET, told_within=60 * MINUTES),
    "rolling: errors, rolled back, in quiet hours": lambda: rolling(FAILING, policy=QUIET),
    "rolling: errors, rolled back, of a team with two channels of its own": lambda: rolling(
        FAILING, policy=of_a_team(policies.policy()), configured=OF_A_TEAM
    ),
    "blue-green: a healthy switch": lambda: switched(FINE),
    "blue-green: a healthy switch, one member after the other": one_by_one,
    "blue-green: errors, switched back": lambda: switched(FAILING),
    "blue-green: errors, switched back, with the platform's three keys": lambda: switched(
        FAILING, configured=THREE_KEYS
    ),
}


@pytest.mark.golden
def test_each_story_tells_each_channel_exactly_the_notices_of_the_golden_table(renew_golden: bool) -> None:
    desks = {name: story() for name, story in STORIES.items()}
    table = "\n".join(f"{name}\n" + "".join(f"  {row}\n" for row in desk.rows()) for name, desk in desks.items())
    if renew_golden:
        GOLDEN.write_text(table)
    assert table == GOLDEN.read_text(), "read the difference, then renew by --renew-golden"
    assert not [repeat for desk in desks.values() for repeat in desk.repeats()]


@pytest.mark.parametrize("nth", [0, 1, 4, 7])
def test_a_controller_that_is_killed_between_sending_and_marking_leaves_the_same_table(nth: int) -> None:
    killed, plain = rolling(FAILING, killed_at=nth), rolling(FAILING)
    assert killed.rows() == plain.rows()
    assert len(killed.repeats()) >= 1

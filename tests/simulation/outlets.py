"""The channels of a world beside its webhook: which there are, and when each is out of order."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from rollguard.model.channels import (
    EMAIL,
    OWN_WEBHOOKS,
    PAGERDUTY,
    PAGERDUTY_EVENTS,
    SLACK_DEPLOYMENTS,
    SLACK_INCIDENTS,
    SLACK_WARNINGS,
)
from rollguard.model.policy import Policy
from rollguard.ports import Notifier
from rollguard.sim.channels import Down, Inbox, Outage, SimChannels, SimNotifier
from rollguard.sim.faults import FaultPlan
from rollguard.sim.process import Process

FOREVER = 1e9
SLACK = (SLACK_DEPLOYMENTS, SLACK_WARNINGS, SLACK_INCIDENTS)
ALL = (*SLACK, PAGERDUTY, PAGERDUTY_EVENTS, EMAIL)
WEBHOOK = "simulated"
"""The one that every world has, with faults of its own."""
POINT = "channel.send"
"""Their faults are drawn apart from all others, and counted apart from those of the webhook."""
_SHARE = 0.25
"""Of the seeds: those with more channels than the webhook."""
_DOWN = 0.4
"""Of their channels: those with an outage."""
_BUSY_FOR = (1.0, 5.0, 40.0, 120.0)
_RATE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """What a seed's world has. Made from the seed alone, apart from all else that it plays."""

    names: tuple[str, ...]
    shared: bool = False
    """The three channels of Slack are one webhook, and one place."""
    rate: float = 0.0
    """Of faults per message."""
    outages: tuple[tuple[str, Outage], ...] = ()
    """By channel; in seconds from the moment in which the unit is under guard."""

    @classmethod
    def of(cls, seed: int, *, faulty: bool) -> Outlets | None:
        """The seed's, where it has any. Outages come to others too: they are no excuse for the guard."""
        rng = random.Random(seed ^ 0xC4A7)
        if rng.random() >= _SHARE:
            return None
        names, shared = rng.choice(((ALL, False), ((*SLACK, PAGERDUTY), True), (tuple(_some(rng)), rng.random() < 0.5)))
        down = [name for name in names if rng.random() < _DOWN]
        return cls(
            names=names,
            shared=shared,
            rate=rng.choice((0.0, _RATE)) if faulty else 0.0,
            outages=tuple((name, _outage(rng)) for name in down),
        )


def _some(rng: random.Random) -> list[str]:
    """At least two of them, in their order."""
    chosen = rng.sample(ALL, rng.randint(2, len(ALL) - 1))
    return [name for name in ALL if name in chosen]


def _outage(rng: random.Random) -> Outage:
    start = rng.uniform(-5.0, 40.0)
    end = rng.choice((start + rng.uniform(3.0, 20.0), start + rng.uniform(20.0, 60.0), FOREVER))
    return Outage(start=start, end=end, how=rng.choice(tuple(Down)), after=rng.choice(_BUSY_FOR))


class Post:
    """The channels in one world, the same for all its controllers."""

    def __init__(self, outlets: Outlets, webhook: Inbox, seed: int) -> None:
        self.outlets = outlets
        self.faults = FaultPlan(seed ^ 0x9057)
        slack = Inbox()
        self.inboxes = {name: slack if outlets.shared and name in OWN_WEBHOOKS else Inbox() for name in outlets.names}
        self.inboxes[WEBHOOK] = webhook

    def connect(self, process: Process, webhook: Notifier) -> SimChannels:
        """The channels of one process."""
        made = [
            SimNotifier(self.inboxes[name], process, self.faults, name=name, point=POINT) for name in self.outlets.names
        ]
        return _Placed(webhook, *made, shared=self.outlets.shared)

    def begin(self, now: float) -> None:
        """From here on things go wrong."""
        self.faults.rate = self.outlets.rate
        for name, outage in self.outlets.outages:
            self.inboxes[name].outages.append(replace(outage, start=now + outage.start, end=now + outage.end))

    def stop(self, now: float) -> None:
        """No more faults from here on; what is down for ever stays down."""
        self.faults.stop()
        for inbox in self.inboxes.values():
            inbox.outages = [each if each.end > FOREVER else _until(each, now) for each in inbox.outages]


def _until(outage: Outage, now: float) -> Outage:
    return replace(outage, end=min(outage.end, now))


class _Placed(SimChannels):
    """With one webhook the three channels of Slack are one place."""

    def __init__(self, *notifiers: Notifier, shared: bool) -> None:
        super().__init__(*notifiers)
        self._shared = shared

    def place(self, channel: str, policy: Policy) -> str:
        return SLACK_DEPLOYMENTS if self._shared and channel in OWN_WEBHOOKS else channel

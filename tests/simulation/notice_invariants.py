"""What must hold of notices where there are several channels; nothing here asks the code under test where they go.

All of it is asked for at the end, of what was tried and what arrived; but for the steps of a rollback, which no channel
may hold up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from rollguard.model.channels import (
    EMAIL,
    PAGERDUTY,
    PAGERDUTY_EVENTS,
    SLACK_DEPLOYMENTS,
    SLACK_INCIDENTS,
    SLACK_WARNINGS,
)
from rollguard.model.names import RolloutId
from rollguard.model.notices import Notice, NoticeClass, NoticeState
from rollguard.model.records import RolloutRecord
from rollguard.notify.pages import Turn, page
from rollguard.ports import Accepted, NotConfigured, Refused, Retry
from rollguard.sim.channels import Inbox, Try
from rollguard.sim.network import LATE_SECONDS, InvariantBroken
from rollguard.sim.objects import at
from rollguard.sim.world import World
from tests.simulation.outlets import WEBHOOK, Post

PAGING = (PAGERDUTY, PAGERDUTY_EVENTS, SLACK_INCIDENTS, EMAIL)
INCIDENTS = (SLACK_INCIDENTS, SLACK_DEPLOYMENTS, EMAIL)
WARNINGS = (SLACK_WARNINGS, SLACK_INCIDENTS, SLACK_DEPLOYMENTS)
PAGERS = (PAGERDUTY, PAGERDUTY_EVENTS)
RESOLVES = frozenset({"recovered", "incident-resolved", "hold-over"})
SIGHT = frozenset({"blind", "policy-invalid", "unseen"})
"""Pages that say nothing bad of a release: they are over when the guard sees again."""
ENDS = frozenset(
    {
        "ended",
        "recovered",
        "unconfirmed",
        "did-not-help",
        "held-to-the-end",
        "new-target",
        "put-back",
        "verification-cut-short",
    }
)
"""A rollout's last notice: its summary goes by e-mail."""
TRIES = 3
"""In vain, before the next way."""
MOST_TRIES = 10
"""In vain, by the last way."""
PAGE_WAITS = 30.0
"""Seconds: a channel that asks for more than that loses a page to the next one."""
LONGEST_WAIT = 300.0
"""Seconds between two tries, at most."""
SOON = 45.0
"""Seconds without any fault after which a way that is due has been tried: a silent one before it takes three tries of
11 s and their pauses."""
PROMPT = 5.0
"""Seconds from a stored plan to its first write where nothing but channels is out of order."""


@dataclass(slots=True)
class NoticeWatchdog:
    """Listens to one world with several channels in it."""

    world: World
    post: Post
    recovery_for: float
    """Seconds for which what was put back must have run before it has recovered."""
    struck: list[float] = field(default_factory=list)
    """When something went wrong that is not a channel's outage: faults, and controllers that were stopped."""
    stored: dict[str, float] = field(default_factory=dict)
    """When each plan was stored first."""
    _begun: set[str] = field(default_factory=set)
    _quiet: float | None = None

    def strike(self, *_: object) -> None:
        """Something goes wrong now."""
        self.struck.append(self.world.loop.time())

    def quiet(self) -> None:
        """Nothing goes wrong from now on."""
        self._quiet = self.world.loop.time()

    def recorded(self, record: RolloutRecord) -> None:
        """A rollout's record was written."""
        if record.plan is not None:
            self.stored.setdefault(record.plan.id, self.world.loop.time())

    def acts(self, plan: str) -> None:
        """A write of the plan leaves: its first one soon after it was stored, whatever the channels do."""
        if plan in self._begun:
            return
        self._begun.add(plan)
        now = self.world.loop.time()
        disturbed = self._strikes(self.stored[plan] - 2 * LATE_SECONDS, now) or max(self.world.controller.lag) > 1.0
        if not disturbed and now - self.stored[plan] > PROMPT:
            raise InvariantBroken(f"{plan} waited {now - self.stored[plan]:.1f} s for its first write: for a channel?")

    def check_end(self, restored: dict[RolloutId, float]) -> None:
        """`restored`: when each rollout was undone, where the world shows it."""
        for name, inbox in self.post.inboxes.items():
            self._check_repeats(name, inbox)
        for name, inbox in self.post.inboxes.items():
            for tried in inbox.tries:
                self._check_its_turn(name, inbox, tried)
        for record, notice in self._notices():
            for chain in _chains(notice):
                self._check_arrived(chain, notice, record)
        self._check_incidents(restored)

    # --- at most once, but where nobody could know ---

    def _check_repeats(self, name: str, inbox: Inbox) -> None:
        arrived: dict[str, list[Try]] = defaultdict(list)
        for tried in inbox.tries:
            if tried.arrived is not None:
                arrived[tried.notice.id].append(tried)
        for id_, tries in arrived.items():
            lost = sum(not isinstance(tried.answer, Accepted) for tried in tries[:-1])
            excuses = lost + self._strikes(tries[0].at - LATE_SECONDS, tries[-1].at)
            if len(tries) - 1 > excuses:
                raise InvariantBroken(f"{id_} came {len(tries)} times to {name}, with {excuses} reasons for a repeat")

    def _strikes(self, start: float, end: float) -> int:
        return sum(start <= when <= end for when in self.struck)

    # --- the next way only where the one before it failed ---

    def _check_its_turn(self, name: str, inbox: Inbox, tried: Try) -> None:
        chains = [*_chains(tried.notice), *([(PAGERDUTY_EVENTS,)] if self._ends_there_too(tried) else [])]
        ways = [way for chain in chains if (way := self._before(chain, inbox)) is not None]
        if not ways:
            raise InvariantBroken(f"{tried.notice.id} ({tried.notice.topic}) has no business at {name}")
        if not any(all(_failed(each, tried.notice, tried.at) for each in way) for way in ways):
            raise InvariantBroken(f"{tried.notice.id} went to {name} before another way had failed")

    def _ends_there_too(self, ending: Try) -> bool:
        """What ends an incident goes to the integration as well where one of its pages came by it."""
        if ending.notice.topic not in RESOLVES or ending.rollout is None or PAGERDUTY_EVENTS not in self.post.inboxes:
            return False
        paged = (each for each in self.post.inboxes[PAGERDUTY_EVENTS].tries if each.notice.class_ is NoticeClass.PAGE)
        return any(each.rollout is not None and each.rollout.id == ending.rollout.id for each in paged)

    def _before(self, chain: tuple[str, ...], inbox: Inbox) -> list[Inbox] | None:
        """The places before that one in the chain; None where it is not in it."""
        places = self._places(chain)
        found = next((number for number, place in enumerate(places) if place is inbox), None)
        return None if found is None else places[:found]

    def _places(self, chain: tuple[str, ...]) -> list[Inbox]:
        """Where the ways of a chain come to, each once."""
        places: list[Inbox] = []
        for name in chain:
            inbox = self.post.inboxes.get(name)
            if inbox is not None and not any(inbox is place for place in places):
                places.append(inbox)
        return places

    # --- each chain ends with a channel that took it, or shows why not ---

    def _notices(self) -> Iterator[tuple[RolloutRecord | None, Notice]]:
        for stored in self.world.records.rollouts.values():
            yield from ((stored.record, notice) for notice in stored.record.notices)
        for unit in self.world.records.units.values():
            yield from ((None, notice) for notice in unit.record.notices)

    def _check_arrived(self, chain: tuple[str, ...], notice: Notice, record: RolloutRecord | None) -> None:
        places = self._places(chain)
        if not places or any(_arrived(place, notice) for place in places):
            return
        for place in places:
            if not _failed(place, notice, self.world.loop.time()):
                self._check_waits(place, places, notice)
                return
        if notice.state is NoticeState.PENDING:
            self._check_next(notice)
            return
        over = any(_refused(place, notice) or len(_tries(place, notice)) >= MOST_TRIES for place in places)
        if not over or not (notice.given_up or notice.detail):
            raise InvariantBroken(f"{notice.id} is over, nobody of {chain} took it, and it does not say why")

    def _check_waits(self, place: Inbox, places: list[Inbox], notice: Notice) -> None:
        """It waits for a way that has not failed: then not for long, and visibly."""
        if notice.state is not NoticeState.PENDING:
            raise InvariantBroken(f"{notice.id} is {notice.state.value}, and a way of it was never tried to its end")
        tries = [tried for each in places for tried in _tries(each, notice)]
        last = max((_asked_for(tried) for tried in tries), default=0.0)
        since = max(self._since(notice), last)
        if self.world.loop.time() - since > SOON:
            raise InvariantBroken(f"{notice.id} ({notice.topic}) is neither sent nor given up: {notice.detail}")

    def _check_next(self, notice: Notice) -> None:
        """It is to be tried again by the last way, at a time that it says."""
        now = at(self.world.loop.time())
        due = notice.next_attempt
        late = due is None or not -LONGEST_WAIT <= now.since(due) <= SOON
        if late and self.world.loop.time() - self._since(notice) > SOON:
            raise InvariantBroken(f"{notice.id} is pending and does not say until when: {due}")

    def _since(self, notice: Notice) -> float:
        """From when on nothing but channels kept the notice from being sent."""
        written = self.world.loop.time() - at(self.world.loop.time()).since(notice.at)
        return max(written, self._quiet or 0.0)

    # --- one incident for a rollout, which is over when it has recovered ---

    def _check_incidents(self, restored: dict[RolloutId, float]) -> None:
        keys: dict[RolloutId, str] = {}
        pages: dict[RolloutId, set[str]] = defaultdict(set)
        tries = [tried for name in PAGERS for tried in getattr(self.post.inboxes.get(name), "tries", ())]
        for tried in sorted((each for each in tries if each.arrived is not None), key=lambda each: each.at):
            told = page(tried.notice, tried.rollout, cluster="simulated")
            paged = tried.notice.class_ is NoticeClass.PAGE
            if paged and told is None:
                raise InvariantBroken(f"the page {tried.notice.id} came to a pager and says nothing")
            if told is None or tried.rollout is None:
                continue
            rollout = tried.rollout.id
            if keys.setdefault(rollout, told.key) != told.key:
                raise InvariantBroken(f"{rollout} has two incidents: {keys[rollout]} and {told.key}")
            if told.turn is not Turn.RESOLVE:
                pages[rollout].add(tried.notice.topic)
            elif pages[rollout] - SIGHT:
                self._check_recovered(tried, restored)
        if len(set(keys.values())) != len(keys):
            raise InvariantBroken("two rollouts share an incident")

    def _check_recovered(self, tried: Try, restored: dict[RolloutId, float]) -> None:
        rollout = tried.rollout
        assert rollout is not None
        back = restored.get(rollout.id) or self._left(rollout, tried.at)
        if back is None and rollout.passages:
            return  # somebody has switched the Services back by hand
        if back is None or tried.at - back < self.recovery_for:
            raise InvariantBroken(f"the incident of {rollout.id} is resolved by {tried.notice.topic}: not recovered")

    def _left(self, rollout: RolloutRecord, before: float) -> float | None:
        """When somebody took the rollout's template away last."""
        target = rollout.target_digest
        mine = [change for change in self.world.changes if change.workload == rollout.workload and change.at < before]
        return max(
            (change.at for change in mine if change.before.digest == target != change.after.digest), default=None
        )


def _chains(notice: Notice) -> list[tuple[str, ...]]:
    """The ways that the notice goes, each with what comes in its place."""
    paged = notice.class_ is NoticeClass.PAGE
    found: list[tuple[str, ...]] = [(SLACK_DEPLOYMENTS,), (WEBHOOK,)]
    found += [PAGING] if paged or notice.topic in RESOLVES else []
    found += [INCIDENTS] if paged else []
    found += [WARNINGS] if notice.class_ is NoticeClass.WARNING else []
    found += [(EMAIL,)] if notice.topic in ENDS else []
    return found


def _tries(place: Inbox, notice: Notice) -> list[Try]:
    return [tried for tried in place.tries if tried.notice.id == notice.id]


def _arrived(place: Inbox, notice: Notice) -> bool:
    return any(tried.arrived is not None for tried in _tries(place, notice))


def _failed(place: Inbox, notice: Notice, now: float) -> bool:
    """Whether the place gave reason, by that moment, to try another: what is not configured says so at once."""
    tries = [tried for tried in _tries(place, notice) if tried.at <= now and not isinstance(tried.answer, Accepted)]
    return len(tries) >= TRIES or any(_is_final(tried) for tried in tries)


def _refused(place: Inbox, notice: Notice) -> bool:
    return any(isinstance(tried.answer, Refused | NotConfigured) for tried in _tries(place, notice))


def _is_final(tried: Try) -> bool:
    match tried.answer:
        case Refused() | NotConfigured():
            return True
        case Retry(after=after):
            return tried.notice.class_ is NoticeClass.PAGE and after > PAGE_WAITS
        case _:
            return False


def _asked_for(tried: Try) -> float:
    """Until when the place wants to be left alone."""
    return tried.at + (min(tried.answer.after, LONGEST_WAIT) if isinstance(tried.answer, Retry) else 0.0)

"""A unit that cannot be seen is no quiet unit: people are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from rollguard.model.facts import UnitFacts
from rollguard.model.names import UnitName
from tests.unit.loop.stage import CRASHING, GOOD, Running, Stage, play

REFUSED = "pods in default: 403 pods is forbidden"


def refused_pods(running: Running) -> Callable[[], None]:
    """The guard may not list pods any more; what is returned gives the right back."""
    honest = running.cluster.facts

    def torn(unit: UnitName) -> UnitFacts:
        return replace(honest(unit), complete=False, missing=(REFUSED,))

    def give_back() -> None:
        running.cluster.facts = honest  # type: ignore[method-assign]

    running.cluster.facts = torn  # type: ignore[method-assign]
    return give_back


def unseen(stage: Stage) -> str:
    unit = stage.unit()
    return dict(unit.conditions).get("Unseen", "") if unit is not None else ""


def test_a_unit_that_is_not_seen_completely_is_paged_once_after_a_minute_and_guarded_again_when_it_is() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        give_back = refused_pods(running)
        await asyncio.sleep(45)
        assert unseen(stage) == ""
        await stage.until(lambda: bool(unseen(stage)), within=60)
        assert unseen(stage) == f"not seen completely, so nothing is guarded here: {REFUSED}"
        stage.world.set_image(stage.api, CRASHING)
        await asyncio.sleep(10)
        assert stage.rollouts() == []
        (page,) = stage.told("unseen")
        assert REFUSED in page
        give_back()
        await stage.until(lambda: stage.image() == GOOD)
        await stage.until(lambda: unseen(stage) == "")

    play(story)


def test_what_hides_many_units_is_one_page_and_what_else_hides_one_is_another() -> None:
    async def story(stage: Stage) -> None:
        for number in range(5):
            stage.deploy(f"svc-{number}")
        await stage.warm_up()
        running = stage.start()
        await stage.until(stage.adopted)
        give_back = refused_pods(running)
        await stage.until(lambda: bool(stage.told("unseen")))
        await asyncio.sleep(60)
        (page,) = stage.told("unseen")
        assert f"6 workloads not seen completely, so nothing is guarded there: {REFUSED}" in page
        hidden = running.cluster.facts

        def torn(unit: UnitName) -> UnitFacts:
            facts = hidden(unit)
            return replace(facts, missing=("events in default: reset",)) if "svc-3" in str(unit) else facts

        running.cluster.facts = torn  # type: ignore[method-assign]
        await stage.until(lambda: len(stage.told("unseen")) == 2)
        await asyncio.sleep(60)
        page = stage.told("unseen")[1]
        assert "1 workload not seen completely, so nothing is guarded there: events in default: reset" in page
        assert REFUSED not in page
        assert len(stage.told("unseen")) == 2
        give_back()
        await stage.until(lambda: stage.conditions_of_all() == {})

    play(story)


def test_a_namespace_that_cannot_be_read_is_paged_once_after_a_minute() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        refused = "GuardedUnits in payments: 403 guardedunits is forbidden"

        def cover(namespaces: frozenset[str]) -> tuple[str, ...]:
            return (refused,)

        honest = running.cluster.cover
        running.cluster.cover = cover  # type: ignore[method-assign]
        await stage.until(lambda: stage.conditions_of_all().get("NamespaceUnread") == refused)
        await asyncio.sleep(40)
        assert stage.told("unseen") == []
        await asyncio.sleep(80)
        (page,) = stage.told("unseen")
        assert f"the namespace payments cannot be read, so nothing is guarded there: {refused}" in page
        running.cluster.cover = honest  # type: ignore[method-assign]
        await stage.until(lambda: "NamespaceUnread" not in stage.conditions_of_all())

    play(story)


def test_a_journal_that_is_not_reached_is_said_and_nothing_waits_for_it() -> None:
    async def story(stage: Stage) -> None:
        stage.start()
        await stage.until(stage.adopted)
        stage.journal.away = "connection refused"
        await stage.until(lambda: stage.conditions_of_all() == {"JournalUnreached": "connection refused"})
        stage.world.set_image(stage.api, CRASHING)
        await stage.until(lambda: stage.image() == GOOD)
        stage.journal.away = ""
        await stage.until(lambda: not stage.conditions_of_all())

    play(story)


def test_the_channels_and_the_journal_are_told_as_they_are_now() -> None:
    def told(stage: Stage) -> tuple[tuple[tuple[str, str], ...], bool | None]:
        record = stage.of_all()
        return (record.channels, record.journal_reached) if record is not None else ((), None)

    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        assert stage.of_all() is None
        needed = (("slack-incidents", "`slack-bot-token` in the Secret"), ("hook", ""))
        running.channels.needed = needed
        await stage.until(lambda: told(stage) == (needed, None))
        stage.journal.away = "connection refused"
        await stage.until(lambda: told(stage) == (needed, False))
        stage.journal.away, running.channels.needed = "", (("slack-incidents", ""), ("hook", ""))
        await stage.until(lambda: told(stage) == ((("slack-incidents", ""), ("hook", "")), True))
        assert stage.conditions_of_all() == {}
        running.channels.needed = tuple((f"hook-{number}", "") for number in range(300))
        await stage.until(lambda: len(told(stage)[0]) == 100)

    play(story)


def test_a_watch_that_is_away_for_some_seconds_is_no_news() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(stage.adopted)
        give_back = refused_pods(running)
        await asyncio.sleep(30)
        give_back()
        await asyncio.sleep(90)
        assert stage.told("unseen") == []
        assert unseen(stage) == ""

    play(story)


def test_a_follower_reads_the_lease_alone_while_somebody_else_leads() -> None:
    async def story(stage: Stage) -> None:
        first = stage.start("guard-0")
        await stage.until(lambda: first.guard.status().active)
        second = stage.start("guard-1")
        await asyncio.sleep(60)
        assert second.faults.visits["leadership.read"] > 20
        assert second.faults.visits["records.list_rollouts"] == 0
        await first.kill()
        await stage.until(lambda: second.guard.status().active, within=30)

    play(story)


def test_a_leader_says_how_long_it_has_not_looked() -> None:
    async def story(stage: Stage) -> None:
        running = stage.start()
        await stage.until(lambda: running.guard.status().ticks > 2)
        tick = stage.policy.timing.tick
        assert running.guard.status().since_look <= 2 * tick
        running.cluster.inventory = lambda: None  # type: ignore[method-assign]
        await asyncio.sleep(20 * tick)
        assert running.guard.status().since_look >= 18 * tick

    play(story)

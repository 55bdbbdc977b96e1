"""The metrics store dies, or has nothing to say: that is evidence neither for a release nor against it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from lab.faults.guarded import Guarded, guarded
from lab.faults.stores import not_a_number, own_prometheus
from lab.prometheus import Prometheus
from lab.proxy import Script
from lab.world import Lab
from rollguard.model.judgement import VerdictKind
from rollguard.model.records import LifecycleState, Outcome, RolloutRecord
from tests.lab.beside import Beside, Story, beside

pytestmark = pytest.mark.asyncio(loop_scope="session")

METRICS = ("errors", "latency", "crash-loop", "image-pull")
PAGED_WITHIN_S = 60.0


@dataclass(slots=True, kw_only=True)
class Three:
    """Three services, each under a guard that asks the same store of the test's own."""

    store: Prometheus
    healthy: Guarded
    bad: Guarded
    crash: Guarded


@asynccontextmanager
async def three_services(lab: Lab) -> AsyncIterator[Three]:
    installed = await lab.install()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(own_prometheus(lab, "store-that-dies"))

        async def one(name: str, automatic: str, close: str) -> Guarded:
            window = {"automatic": automatic, "close": close, "startup": "10s", "stabilization": "30s"}
            here = await stack.enter_async_context(
                guarded(
                    lab,
                    name,
                    script=Script(),
                    installed=installed,
                    signals=METRICS,
                    prometheus=store.url,
                    rps=30,
                    window=window,
                )
            )
            here.controller(proxied=False)
            return here

        found = Three(
            store=store,
            healthy=await one("blind-healthy", "60s", "70s"),
            bad=await one("blind-bad", "3m", "4m"),
            crash=await one("blind-crash", "3m", "4m"),
        )
        for here in (found.healthy, found.bad, found.crash):
            await here.until_adopted()
        yield found


async def until_state(here: Guarded, state: LifecycleState, verdict: VerdictKind, timeout_s: float = 40.0) -> None:
    seen: list[RolloutRecord | None] = [None]

    async def reached() -> bool:
        seen[0] = await here.rollout()
        return seen[0] is not None and (seen[0].state, seen[0].verdict) == (state, verdict)

    await here.lab.until(
        reached,
        what=f"{here.namespace} {state.value}, {verdict.value}",
        timeout_s=timeout_s,
        seen=lambda: f"{seen[0]}\n{here.logs()}",
    )


async def generation(here: Guarded) -> int:
    return int((await here.deployment())["metadata"]["generation"])


def verdicts(record: RolloutRecord) -> list[str]:
    """The verdicts of its story, in order."""
    return [entry.text.partition(":")[0] for entry in record.timeline if entry.kind == "verdict"]


def paged_once_in_time(here: Guarded, record: RolloutRecord) -> float:
    """Seconds from the first verdict `blind` to its one page."""
    pages = here.receiver.of_topic("blind")
    assert len(pages) == 1, pages
    assert pages[0]["class"] == "page"
    since = next(entry.at.seconds for entry in record.timeline if entry.text.startswith("Blind: "))
    return float(pages[0]["arrived"]) - since


async def the_store_dies_in_the_middle_of_rollouts_and_comes_back(lab: Lab) -> None:
    async with three_services(lab) as three:
        await _the_store_dies(three)


async def _the_store_dies(three: Three) -> None:
    healthy, bad, crash = three.healthy, three.bad, three.crash
    await healthy.release("v2")
    await bad.release("v2-errors-15pct")
    for here in (healthy, bad):
        await until_state(here, LifecycleState.WATCHING, VerdictKind.UNDECIDED)
        await here.lab.until_rolled_out(here.namespace, "translation")
    await three.store.kill()
    await crash.release("v2-crash-after-6s")

    for here in (healthy, bad):
        await until_state(here, LifecycleState.HELD, VerdictKind.BLIND)
        assert await generation(here) == 2, "nothing is undone while blind"
    undone = await crash.until_closed()
    assert undone.outcome is Outcome.RECOVERED, "an event rule needs no metrics"
    assert "Blind" in verdicts(undone)
    assert await generation(crash) == 3
    for here in (healthy, bad):
        await until_state(here, LifecycleState.HELD, VerdictKind.BLIND)

    await three.store.start()
    await until_state(healthy, LifecycleState.WATCHING, VerdictKind.UNDECIDED)
    closed = await bad.until_closed()
    assert closed.outcome is Outcome.RECOVERED
    assert verdicts(closed)[-1] == "Bad"
    assert await generation(bad) == 3

    # Under 95% of its slots were answered: it is not called healthy, and nothing speaks against it.
    ended = await healthy.until_closed()
    assert ended.outcome is Outcome.UNDECIDED
    assert ended.plan is None
    assert await generation(healthy) == 2
    for here, record in ((healthy, ended), (bad, closed)):
        paged = paged_once_in_time(here, record)
        print(f"{here.namespace}: paged {paged:.1f} s after the verdict blind")
        assert paged < PAGED_WITHIN_S


NOTHING = {
    "errors": {"bad": 'nothing_total{status=~"5.."}', "total": "nothing_total"},
    "latency": {"buckets": "nothing_bucket"},
}


async def an_empty_answer_a_value_that_is_no_number_and_no_traffic_are_no_evidence(lab: Lab) -> None:
    installed = await lab.install()
    window = {"automatic": "24s", "close": "30s", "startup": "5s", "stabilization": "12s"}
    async with AsyncExitStack() as stack:
        nan = await stack.enter_async_context(not_a_number(lab.prometheus.url))

        async def one(name: str, *, rps: float, store: str = "", nothing: bool = False) -> Guarded:
            here = await stack.enter_async_context(
                guarded(
                    lab,
                    name,
                    script=Script(),
                    installed=installed,
                    signals=METRICS,
                    prometheus=store,
                    rps=rps,
                    window=window,
                    selectors=NOTHING if nothing else {},
                )
            )
            here.controller(proxied=False)
            return here

        empty = await one("answer-empty", rps=30, nothing=True)
        no_number = await one("answer-nan", rps=30, store=nan)
        quiet = await one("answer-quiet", rps=0)
        for here in (empty, no_number, quiet):
            await here.until_adopted()
            # A version that would be caught, did anyone see its errors.
            await here.release("v2-errors-50pct")
        for here in (empty, no_number, quiet):
            record = await here.until_closed()
            unit = await here.unit()
            print(f"{here.namespace}: {verdicts(record)}, {record.outcome}: {record.why}")
            assert set(verdicts(record)) <= {"Undecided", "Blind"}
            assert record.outcome in (Outcome.UNDECIDED, Outcome.HELD)
            assert record.plan is None
            assert await generation(here) == 2
            assert unit is not None and not unit.healthy


STORIES: tuple[Story, ...] = (
    the_store_dies_in_the_middle_of_rollouts_and_comes_back,
    an_empty_answer_a_value_that_is_no_number_and_no_traffic_are_no_evidence,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def playing(request: pytest.FixtureRequest, lab: Lab) -> AsyncIterator[Beside]:
    async with beside(request, lab) as stories:
        yield stories


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_it_goes_as_told(story: Story, playing: Beside) -> None:
    await playing.ended(story)

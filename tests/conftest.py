"""What the whole test command promises: a table of durations with budgets, no skipped test, golden files renewed
only on request, and one worker for everything that needs the lab."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is the machine's affair: speed belongs into benchmarks.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

TESTS = Path(__file__).parent
BUDGETS_S = {"unit": 1500.0, "contract": 600.0, "simulation": 2400.0, "lab": 3000.0}
"""Seconds of tests by folder, summed over workers: going over is red. Where a test tells what CPU it took
(`cpu_seconds`), that counts: seeds are played at low priority, and how long they wait is the lab's affair."""
STORY_BUDGET_S = 120.0
SLOWEST = 15
WAY = 5
"""By how much a worker without the lab makes way for the one that has it: the lab's stories run by the real clock."""
_BEGUN = pytest.StashKey[bool]()


class Ledger:
    """Durations and skips of all tests, gathered where the reports arrive."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.count: dict[str, int] = defaultdict(int)
        self.tests: dict[str, float] = defaultdict(float)
        self.stories: dict[str, tuple[float, float]] = {}
        self.tables: list[str] = []
        self.skipped = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Adds one phase (set-up, call, tear-down) of a test."""
        part = _part(report.nodeid)
        properties = dict(report.user_properties) if report.when == "call" else {}
        self.seconds[part] += float(str(properties.get("cpu_seconds", report.duration)))
        self.tests[report.nodeid] += report.duration
        if report.when == "call":
            self.count[part] += 1
            self.tables += [str(properties["table"])] if "table" in properties else []
            if "story_seconds" in properties:
                budget = float(str(properties.get("story_budget", STORY_BUDGET_S)))
                self.stories[report.nodeid] = (float(str(properties["story_seconds"])), budget)
        if report.skipped:
            self.skipped += 1

    def over(self) -> list[str]:
        """What is over its budget, in words."""
        parts = [
            f"{part}: {spent:.0f} s of tests, budget {BUDGETS_S[part]:.0f} s"
            for part, spent in self.seconds.items()
            if spent > BUDGETS_S.get(part, float("inf"))
        ]
        stories = [
            f"{story}: {spent:.0f} s, budget {budget:.0f} s"
            for story, (spent, budget) in self.stories.items()
            if spent > budget
        ]
        return parts + stories

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A skipped test, or one over its budget, makes the run red."""
        if session.exitstatus == pytest.ExitCode.OK and (self.skipped or self.over()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What tests gathered as the property `table`, and the table of durations."""
        write = terminalreporter.write_line
        for table in self.tables:
            terminalreporter.section("gathered")
            write(table)
        terminalreporter.section("durations")
        for part in sorted(self.seconds):
            write(f"{part:<12} {self.count[part]:5d} tests {self.seconds[part]:8.1f} s")
        for story, (spent, budget) in sorted(self.stories.items()):
            write(f"  story {spent:6.1f} s of {budget:5.0f} s  {story.rpartition('[')[2].partition(']')[0]}")
        for test in sorted(self.tests, key=lambda name: -self.tests[name])[:SLOWEST]:
            write(f"  {self.tests[test]:8.1f} s  {test}")
        for line in self.over():
            write(f"OVER BUDGET: {line}", red=True)
        write(f"skipped tests: {self.skipped}")


def _part(nodeid: str) -> str:
    parts = nodeid.split("/")
    return parts[1] if len(parts) > 2 else "other"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew-golden", action="store_true", help="write the golden files anew; read the diff")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Ledger(), "ledger")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in the lab runs in one worker: one control plane per run."""
    for item in items:
        if (TESTS / "lab") in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("lab"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A worker whose first test is not of the lab makes way: the lab comes first in one of them."""
    if "PYTEST_XDIST_WORKER" not in os.environ or _BEGUN in item.config.stash:
        return
    item.config.stash[_BEGUN] = True
    if (TESTS / "lab") not in item.path.parents:
        os.nice(WAY)


@pytest.fixture
def renew_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written anew."""
    return bool(request.config.getoption("--renew-golden"))

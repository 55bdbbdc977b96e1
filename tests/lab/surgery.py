"""Doctor on a cluster of the lab."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lab.api import Api as LabApi
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api
from rollguard.adapters.kubernetes.survey import Account
from rollguard.cli.examination import Examiner
from rollguard.doctor import Check, State, examine
from rollguard.doctor.facts import Place
from rollguard.model.policy import Policy
from rollguard.policy import load as load_policy

CLOCK = SystemClock()
DEAD = "http://127.0.0.1:9"


def policy_of(document: dict[str, Any]) -> Policy:
    loaded = load_policy(json.dumps(document), "policy.json")
    assert isinstance(loaded, Policy), loaded
    return loaded


@dataclass(slots=True, kw_only=True)
class Surgery:
    """Doctor on one cluster, as the administrator."""

    api: Api
    admin: LabApi
    account: Account
    guard: str
    place: Place = Place.GUARD

    async def checks(self, policy: Policy) -> tuple[Check, ...]:
        return examine(await self.examiner().facts(policy))

    def examiner(self) -> Examiner:
        return Examiner(
            api=self.api,
            clock=CLOCK,
            guard_namespace=self.guard,
            account=self.account,
            place=self.place,
        )

    async def until_named(
        self, policy: Policy, name: str, state: State, words: str, *, timeout_s: float = 20.0
    ) -> Check:
        """The first check of that name, state and words; the server's own caches may take a moment."""
        deadline = time.monotonic() + timeout_s
        while True:
            checks = await self.checks(policy)
            for check in checks:
                if check.name == name and check.state is state and words in f"{check.subject}: {check.found}":
                    assert check.what_to_do
                    return check
            told = [check for check in checks if check.state is not State.OK]
            assert time.monotonic() < deadline, f"{name} {state} {words!r} is not among {told}"
            await asyncio.sleep(0.05)


def failed(checks: tuple[Check, ...]) -> list[Check]:
    return [check for check in checks if check.state is State.FAILED]


async def until(probe: Callable[[], Awaitable[bool]], *, what: str, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not await probe():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)

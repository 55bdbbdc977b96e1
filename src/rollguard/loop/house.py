"""Reads what people wrote even where a wake-up was lost, finds rollouts left over, and clears away old ones."""

from __future__ import annotations

import asyncio

from rollguard.loop.context import Context
from rollguard.loop.leader import LeadershipLost
from rollguard.model.time import Mono

SURVEY_EVERY = 600.0
LATE = 90.0
"""Seconds in which a creation that was not answered, by us or by who led before, may still take effect: it is looked
for. The API server gives a request 60."""


class House:
    """What a survey found is lost with the term: the next one begins with a survey of its own."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._generation = 0
        self._surveyed: Mono | None = None
        self._unanswered = 0
        self._doubtful_until = context.clock.mono()

    async def keep(self, active: asyncio.Event) -> None:
        """Goes on until cancelled; rests while we do not lead."""
        context = self._context
        while True:
            await active.wait()
            await self._survey()
            await context.clock.sleep_until(context.clock.mono().plus(context.settings.refresh_every))
            if active.is_set():
                await context.store.refresh_units()

    async def _survey(self) -> None:
        """One look at all rollouts, where it is due."""
        store, now = self._context.store, self._context.clock.mono()
        generation = store.generation
        if generation != self._generation:
            self._surveyed = None
        if generation != self._generation or store.unanswered != self._unanswered:
            self._doubtful_until = now.plus(LATE)
        self._generation, self._unanswered = generation, store.unanswered
        if self._surveyed is not None and now >= self._doubtful_until and now.since(self._surveyed) < SURVEY_EVERY:
            return
        try:
            whole = await store.survey(self._context.settings.closed_rollouts)
        except LeadershipLost as error:
            self._context.log("survey-cut-short", {"detail": str(error)})
            whole = False
        self._surveyed = now if whole and store.generation == generation else None
        if self._surveyed is not None and now >= self._doubtful_until:
            await self._clean()

    async def _clean(self) -> None:
        try:
            await self._context.policies.clean(self._context.store.rollouts)
        except LeadershipLost as error:
            self._context.log("cleaning-cut-short", {"detail": str(error)})

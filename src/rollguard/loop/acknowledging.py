"""Asks PagerDuty who has acknowledged its incidents: acknowledged there is acknowledged here."""

from __future__ import annotations

import asyncio

from rollguard.lifecycle import response
from rollguard.loop import timeline
from rollguard.loop.context import Context
from rollguard.loop.leader import LeadershipLost
from rollguard.loop.store import Unavailable, Vanished
from rollguard.loop.transitions import note
from rollguard.model.action import Unknown
from rollguard.model.channels import PAGERDUTY
from rollguard.model.handling import Acknowledgement
from rollguard.model.records import RolloutRecord, TimelineEntry

EVERY = 30.0
CLOCKS_APART = 30.0
"""Seconds by which PagerDuty's clock may be behind ours."""


class Acknowledging:
    """Asks only about rollouts that wait for a person and have an incident there, one after the other."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def keep(self, active: asyncio.Event) -> None:
        """Goes on until cancelled; rests while we do not lead."""
        clock = self._context.clock
        while True:
            await active.wait()
            await self.look()
            await clock.sleep_until(clock.mono().plus(EVERY))

    async def look(self) -> None:
        """Asks once about each. What cannot be read is no acknowledgement, and is asked again."""
        context = self._context
        for record in context.store.rollouts:
            reference = record.reference(PAGERDUTY)
            if not reference or not response.calls(record) or not context.gate.leading():
                continue
            answer = await context.outbox.acknowledged(reference)
            if isinstance(answer, Unknown):
                context.log("acknowledgement-not-read", {"rollout": record.id, "detail": answer.detail})
            elif answer is not None and _answers(record, answer):
                await self._write(record, answer)

    async def _write(self, record: RolloutRecord, by: Acknowledgement) -> None:
        line = TimelineEntry(at=self._context.now(), kind="human", text="Acknowledged in PagerDuty", actor=by.actor)

        def acknowledged(present: RolloutRecord) -> RolloutRecord:
            if not _answers(present, by):
                return present
            return timeline.with_entries(response.acknowledged(present, by), (line,))

        try:
            await note(self._context, record, acknowledged)
        except (Unavailable, Vanished, LeadershipLost) as error:
            self._context.log("acknowledgement-not-written", {"rollout": record.id, "detail": str(error)})


def _answers(record: RolloutRecord, by: Acknowledgement) -> bool:
    """Whether that is an answer to the present call. The incident may be acknowledged from an earlier one."""
    since = record.called
    return response.calls(record) and since is not None and by.at >= since.plus(-CLOCKS_APART)

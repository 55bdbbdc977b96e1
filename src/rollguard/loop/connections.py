"""The connected channels of the policy of now, and those of earlier ones until what is under way by them has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from rollguard.model.policy import Policy
from rollguard.ports import Channels, Notifier

AT_ONCE = 8
"""Notices under way to one channel."""


@dataclass(slots=True, kw_only=True)
class Connected:
    """Connected channels, and how many deliveries go by them."""

    of: Policy
    notifiers: Mapping[str, Notifier]
    rooms: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    users: int = 0

    def room(self, name: str) -> asyncio.Semaphore:
        """Where a notice waits for its turn at that channel."""
        return self.rooms.setdefault(name, asyncio.Semaphore(AT_ONCE))


class Connections:
    """Connects the channels of a policy when it is first asked for them."""

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self._present: Connected | None = None
        self._leaving: list[Connected] = []

    async def present(self, policy: Policy) -> Connected:
        """The channels of that policy; changed ones are taken over, and what is under way by the old ones ends by
        them."""
        if self._present is None or self._present.of != policy:
            if self._present is not None:
                self._leaving.append(self._present)
            notifiers = {notifier.name: notifier for notifier in self.channels.connect(policy)}
            self._present = Connected(of=policy, notifiers=notifiers)
        ended = [connected for connected in self._leaving if not connected.users]
        self._leaving = [connected for connected in self._leaving if connected.users]
        present = self._present
        await _close(ended)
        return present

    async def close(self) -> None:
        """Ends all connections."""
        old, self._leaving = self._leaving, []
        if self._present is not None:
            old, self._present = [*old, self._present], None
        await _close(old)


async def _close(connected: list[Connected]) -> None:
    for each in connected:
        for notifier in each.notifiers.values():
            await notifier.close()

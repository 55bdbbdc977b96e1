"""How the channels fared: for the guard's own metrics and status."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollguard.loop.delivery import Answer
from rollguard.ports import Accepted, NotConfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatus:
    """One channel of this process."""

    name: str
    accepted: int = 0
    failed: int = 0
    """Tries that it refused or did not answer well."""
    detail: str = ""
    """What its last answer said, where that was no acceptance."""
    configured: bool = True
    """Its secret and settings were there at the last try."""


@dataclass(slots=True)
class Told:
    """The channels that something was sent by, since the process began."""

    _by_name: dict[str, ChannelStatus] = field(default_factory=dict)

    def note(self, name: str, answer: Answer) -> None:
        """One answer of a channel."""
        known = self._by_name.get(name, ChannelStatus(name=name))
        accepted, missing = isinstance(answer, Accepted), isinstance(answer, NotConfigured)
        self._by_name[name] = ChannelStatus(
            name=name,
            accepted=known.accepted + accepted,
            failed=known.failed + (not accepted and not missing),
            detail="" if accepted else answer.detail,
            configured=not missing,
        )

    def channels(self) -> tuple[ChannelStatus, ...]:
        """All of them, by name."""
        return tuple(self._by_name[name] for name in sorted(self._by_name))

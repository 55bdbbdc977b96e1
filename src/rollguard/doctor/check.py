"""What a check comes to, and what there is to check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.action import Unknown
from rollguard.model.names import UnitName


class State(StrEnum):
    """How a check came out. `unknown` (it could not be asked) is never `ok`."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    group: str
    name: str
    subject: str
    state: State
    found: str
    what_to_do: str
    """Empty where it is ok."""
    unit: UnitName | None = None
    """The unit that it concerns; None for what concerns all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Something to check; docs/doctor.md lists them all."""

    group: str
    name: str
    about: str
    """What is looked at."""
    remedy: str
    """What to do about it, where a check does not know better."""

    def ok(self, subject: str, found: str, *, unit: UnitName | None = None) -> Check:
        """It is as it should be."""
        return self._check(State.OK, subject, found, "", unit)

    def warning(self, subject: str, found: str, do: str = "", *, unit: UnitName | None = None) -> Check:
        """The guard works, but less than it could."""
        return self._check(State.WARNING, subject, found, do or self.remedy, unit)

    def failed(self, subject: str, found: str, do: str = "", *, unit: UnitName | None = None) -> Check:
        """The guard does not work for it."""
        return self._check(State.FAILED, subject, found, do or self.remedy, unit)

    def unknown(self, subject: str, why: Unknown | str, do: str = "", *, unit: UnitName | None = None) -> Check:
        """It could not be asked, and why."""
        found = why if isinstance(why, str) else why.detail
        return self._check(State.UNKNOWN, subject, found, do or self.remedy, unit)

    def _check(self, state: State, subject: str, found: str, do: str, unit: UnitName | None) -> Check:
        return Check(
            group=self.group, name=self.name, subject=subject, state=state, found=found, what_to_do=do, unit=unit
        )

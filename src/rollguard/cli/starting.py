"""The policy that the controller starts with: the one that is asked for, else the one that was in force last."""

from __future__ import annotations

from rollguard.cli import exits
from rollguard.loop import Log
from rollguard.model.action import Unknown
from rollguard.model.policy import Policy
from rollguard.ports import KeptPolicies, PolicySource

READS = 5
"""Tries to read what is kept, each as long as a request may take: a server under load is no reason not to start."""


async def first(place: str, source: PolicySource, kept: KeptPolicies, *, timeout: float, log: Log) -> Policy:
    """The source's policy; where that has mistakes, the kept one that came into force last, and the log says so: a
    guard that starts anew then guards as one that had gone on running would.

    The mistakes stay the newest reading of the source: the loop shows and pages them. Ends the command where none is
    kept.
    """
    reading = source.latest()
    if reading.policy is not None:
        return reading.policy
    for _ in range(READS):
        found = await kept.newest(timeout=timeout)
        if not isinstance(found, Unknown):
            break
    if not isinstance(found, Policy):
        unread = isinstance(found, Unknown)
        missing = (
            f"whether one is kept cannot be read: {found.detail}" if isinstance(found, Unknown) else "none is kept"
        )
        text = f"{refused(place, reading.mistakes)}\nAn earlier policy would count meanwhile, but {missing}"
        raise exits.CommandError(text, exits.UNREACHABLE if unread else exits.USAGE)
    for mistake in reading.mistakes:
        log("policy-mistake", {"mistake": mistake})
    log(
        "started-under-an-earlier-policy",
        {"instead_of": place, "policy": found.name, "digest": found.digest, "mistakes": len(reading.mistakes)},
    )
    return found


def refused(place: str, mistakes: tuple[str, ...]) -> str:
    """What is wrong with the policy of that place, for people."""
    return "\n".join((f"the policy {place} cannot be used:", *mistakes))

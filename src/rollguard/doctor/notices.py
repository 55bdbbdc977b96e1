"""Secret files and channels: would a notice arrive."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts, Place

GROUP = "notices"

FILE = Topic(
    group=GROUP,
    name="file",
    about="Each file that the policy names (tokens, passwords, keys, certificates) can be read",
    remedy="mount the secret where the policy names it, readable for the guard's user",
)
CHANNEL = Topic(
    group=GROUP,
    name="channel",
    about="Each webhook's host resolves and takes connections; no message is sent",
    remedy="correct the address in `spec.notify`, and let the guard's namespace reach it",
)
TOPICS = (FILE, CHANNEL)


def checks(facts: Facts) -> Iterator[Check]:
    """All of them."""
    yield from _files(facts)
    yield from _channels(facts)


def _files(facts: Facts) -> Iterator[Check]:
    """A file that is not on this machine may well be where the guard runs."""
    for file in facts.files:
        subject = f"{file.path} ({file.purpose})"
        if not file.problem:
            yield FILE.ok(subject, "can be read")
        elif facts.place is Place.GUARD:
            yield FILE.failed(subject, file.problem)
        else:
            do = f"look where it is read: `kubectl exec -n {facts.guard.namespace} deployment/monitoring -- "
            do += "rollguard doctor --policy ...`"
            yield FILE.unknown(subject, f"not on this machine: {file.problem}", do)


def _channels(facts: Facts) -> Iterator[Check]:
    for channel in facts.channels:
        subject = f"{channel.name} ({channel.host})"
        if channel.problem:
            yield CHANNEL.failed(subject, channel.problem)
        else:
            yield CHANNEL.ok(subject, "takes connections")

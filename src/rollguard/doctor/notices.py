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
    about="Each channel's host resolves and takes connections; no message is sent",
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
    if not facts.channels:
        do = "`rollguard notify test`, where the guard runs, says which channels the Secret gives; nobody reads a log"
        said = "no webhook: without channels of the Secret notices go to the guard's log alone"
        yield CHANNEL.warning("notify", said, do)
    for channel in facts.channels:
        subject = f"{channel.name} ({channel.host})"
        if channel.problem:
            yield CHANNEL.failed(subject, channel.problem)
        else:
            yield CHANNEL.ok(subject, "takes connections")

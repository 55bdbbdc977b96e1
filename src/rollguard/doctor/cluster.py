"""The cluster: its version, and what has to be installed in it."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts, Installed, Presence
from rollguard.model.action import Unknown

OLDEST = (1, 30)
GROUP = "cluster"

VERSION = Topic(
    group=GROUP,
    name="version",
    about="The API server is Kubernetes 1.30 or later: admission policies and CEL rules",
    remedy="upgrade the cluster to Kubernetes 1.30 or later",
)
DEFINITIONS = Topic(
    group=GROUP,
    name="definitions",
    about="The CustomResourceDefinitions are there, established, and those of this version",
    remedy="install the definitions of this version: `rollguard install --policy FILE --apply`",
)
ADMISSION = Topic(
    group=GROUP,
    name="admission",
    about="The admission policy and its binding are there and those of this version: nobody orders as somebody else",
    remedy="install the admission policy of this version: `rollguard install --policy FILE --apply`",
)
ENFORCED = Topic(
    group=GROUP,
    name="enforced",
    about="The server refuses an order under another's name (tried without effect)",
    remedy="see the check `admission`; on a new installation, wait a few seconds and look again",
)
TOPICS = (VERSION, DEFINITIONS, ADMISSION, ENFORCED)
DEFINITION_KIND = "CustomResourceDefinition"


def checks(facts: Facts) -> Iterator[Check]:
    """All of them."""
    yield version(facts)
    for each in facts.installed:
        yield installed(each)
    if not any(found.kind == DEFINITION_KIND and found.presence is Presence.ABSENT for found in facts.installed):
        yield enforced(facts)


def version(facts: Facts) -> Check:
    """Old servers know no admission policies."""
    found = facts.version
    if isinstance(found, Unknown):
        return VERSION.unknown("API server", found, "see that the API server can be reached: `kubectl version`")
    if (found.major, found.minor) < OLDEST:
        return VERSION.failed("API server", f"{found.text} is older than 1.30")
    return VERSION.ok("API server", found.text)


def installed(found: Installed) -> Check:
    """One object of ours."""
    topic = DEFINITIONS if found.kind == DEFINITION_KIND else ADMISSION
    subject = found.name if found.kind == DEFINITION_KIND else f"{found.kind} {found.name}"
    presence = found.presence
    if isinstance(presence, Unknown):
        return topic.unknown(subject, presence, "ask somebody who may read it to run `rollguard doctor`")
    if presence is Presence.SAME:
        return topic.ok(subject, str(presence))
    return topic.failed(subject, f"{presence}: {found.detail}" if found.detail else str(presence))


def enforced(facts: Facts) -> Check:
    """The objects may be there and do nothing yet."""
    if isinstance(facts.enforced, Unknown):
        return ENFORCED.unknown("actor of an order", facts.enforced, "look as somebody who may create GuardedUnits")
    if facts.enforced:
        return ENFORCED.ok("actor of an order", "an order under another's name is refused")
    return ENFORCED.failed("actor of an order", "an order under another's name was not refused")

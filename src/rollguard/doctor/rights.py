"""What the guard is allowed to do, as the API server answers."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts, RightAnswer
from rollguard.model.action import Unknown

GROUP = "rights"

ACCOUNT = Topic(
    group=GROUP,
    name="account",
    about="The guard's ServiceAccount exists",
    remedy="install the guard: `rollguard install --policy FILE --apply`",
)
RIGHTS = Topic(
    group=GROUP,
    name="rights",
    about="The server allows the guard each request that it makes, in each namespace where it makes it",
    remedy="grant it: `rollguard install --policy FILE --apply` writes the Roles (docs/install.md has the list)",
)
TOPICS = (ACCOUNT, RIGHTS)


def checks(facts: Facts) -> Iterator[Check]:
    """The account first: without it no right can be had."""
    rights = facts.rights
    if isinstance(rights.account, Unknown):
        yield ACCOUNT.unknown(rights.who, rights.account, "look as somebody who may read ServiceAccounts")
    elif not rights.account:
        yield ACCOUNT.failed(rights.who, "there is no such account, and so none of its rights")
        return
    else:
        yield ACCOUNT.ok(rights.who, "is there")
    allowed = sum(answer.allowed is True for answer in rights.answers)
    if allowed:
        yield RIGHTS.ok(rights.who, f"{allowed} of {len(rights.answers)} requests are allowed")
    yield from (_missing(rights.who, answer) for answer in rights.answers if answer.allowed is not True)


def _missing(who: str, answer: RightAnswer) -> Check:
    subject = f"{named(answer)} {where(answer)}"
    if isinstance(answer.allowed, Unknown):
        return RIGHTS.unknown(subject, answer.allowed, "look again, or as somebody who may ask for others' rights")
    return RIGHTS.failed(subject, f"{who} may not; it is needed: {answer.permission.why}")


def named(answer: RightAnswer) -> str:
    """As `kubectl auth can-i` takes it: `patch deployments.apps`, `get pods/log`."""
    permission = answer.permission
    resource, slash, sub = permission.resource.partition("/")
    group = f".{permission.group}" if permission.group else ""
    return f"{permission.verb} {resource}{group}{slash}{sub}"


def where(answer: RightAnswer) -> str:
    """The namespace, in words."""
    return f"in {answer.namespace}" if answer.namespace else "in all namespaces"

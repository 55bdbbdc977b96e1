"""What the guard may do: the API server is asked, for the guard's ServiceAccount or for who asks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.adapters.kubernetes.survey.asking import Asking, reading
from rollguard.doctor.facts import RightAnswer, Rights
from rollguard.model.action import Absent, Unknown
from rollguard.model.permissions import Permission, Scope

GROUP, VERSION = "authorization.k8s.io", "v1"
OTHERS = reading(GROUP, VERSION, "subjectaccessreviews", "create", Scope.CLUSTER)
OWN = reading(GROUP, VERSION, "selfsubjectaccessreviews", "create", Scope.CLUSTER)
ACCOUNTS = reading("", "v1", "serviceaccounts", "get", Scope.GUARD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A ServiceAccount."""

    namespace: str
    name: str

    @property
    def user(self) -> str:
        """As the API server knows it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> tuple[str, ...]:
        """What it belongs to by being one."""
        return ("system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated")

    def __str__(self) -> str:
        return f"ServiceAccount {self.namespace}/{self.name}"


class _Status(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsAsked:
    """Which rights, and where they are needed."""

    rights: tuple[Right, ...]
    watched: tuple[str, ...]
    guard: str
    sets: tuple[str, ...]
    """The watched namespaces that have release sets."""

    def places(self, permission: Permission) -> tuple[str, ...]:
        """The namespaces in which it is needed; for what has no namespace, the empty name."""
        if permission.scope is Scope.CLUSTER:
            return ("",)
        every = sorted({*self.watched, self.guard})
        covers = permission.scope.covers
        return tuple(n for n in every if covers(n, watched=self.watched, guard=self.guard, sets=self.sets))


async def rights_of(asking: Asking, account: Account | None, asked: RightsAsked, *, me: str) -> Rights:
    """The answers for the account; for who asks, named `me`, where there is no account or the server does not let us
    ask for another."""
    there: bool | Unknown = True
    if account is not None:
        there = await _exists(asking, account)
        if there is False:
            return Rights(who=str(account), account=False, answers=())
        first = await _review(asking, account, asked.rights[0].permission, asked.guard)
        if isinstance(first, Unknown):
            me = f"{me} (not the guard's account, for which one may not ask: {first.detail})"
            account = None
    permissions = tuple(dict.fromkeys(right.permission for right in asked.rights))
    answers = await asyncio.gather(*(_answers(asking, account, each, asked.places(each)) for each in permissions))
    who = str(account) if account is not None else me
    return Rights(who=who, account=there, answers=tuple(answer for several in answers for answer in several))


async def _exists(asking: Asking, account: Account) -> bool | Unknown:
    found = await asking.get(ACCOUNTS, account.namespace, account.name)
    return found if isinstance(found, Unknown) else not isinstance(found, Absent)


async def _answers(
    asking: Asking, account: Account | None, permission: Permission, places: tuple[str, ...]
) -> tuple[RightAnswer, ...]:
    """One answer for all namespaces where it is allowed in all; else one for each in which it is needed."""
    everywhere = await _review(asking, account, permission, "")
    if everywhere is True or places == ("",):
        return (RightAnswer(permission=permission, namespace="", allowed=everywhere),)
    allowed = await asyncio.gather(*(_review(asking, account, permission, place) for place in places))
    return tuple(
        RightAnswer(permission=permission, namespace=place, allowed=answer)
        for place, answer in zip(places, allowed, strict=True)
    )


async def _review(asking: Asking, account: Account | None, permission: Permission, namespace: str) -> bool | Unknown:
    resource, _, sub = permission.resource.partition("/")
    attributes = {"group": permission.group, "resource": resource, "verb": permission.verb, "namespace": namespace}
    spec: dict[str, object] = {"resourceAttributes": attributes | ({"subresource": sub} if sub else {})}
    right, kind = OWN, "SelfSubjectAccessReview"
    if account is not None:
        right, kind = OTHERS, "SubjectAccessReview"
        spec |= {"user": account.user, "groups": list(account.groups)}
    reply = await asking.send(right, "", body={"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "spec": spec})
    if isinstance(reply, Unknown):
        return reply
    return msgspec.json.decode(reply.body, type=_Review).status.allowed if reply.ok else Unknown(detail=reply.message())

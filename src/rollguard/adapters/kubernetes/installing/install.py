"""Puts objects into a cluster by server-side apply, and waits until the server enforces them and the guard runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from rollguard.adapters.kubernetes.connection.api import APPLY_PATCH, MANAGER, Api, Reply
from rollguard.adapters.kubernetes.installing import kinds
from rollguard.adapters.kubernetes.installing.enforcement import enforced
from rollguard.adapters.kubernetes.installing.kinds import CLUSTER_KINDS, Thing
from rollguard.model.action import Rejected, Unknown
from rollguard.model.documents import Json
from rollguard.ports import Clock
from rollguard.record import manifests
from rollguard.record.names import UNIT_KIND

POLL_S = 0.1
TIMEOUT_S = 60.0
NOT_FOUND = 404
FORBIDDEN = 403
KEPT_BY_SERVER = ("resourceVersion", "managedFields", "generation")


class InstallError(Exception):
    """The cluster did not take a manifest, or does not enforce it; the text has the server's words."""


class Change(StrEnum):
    """What applying an object came to."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    LEFT = "not allowed: left to an administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An object and what was done to it."""

    thing: Thing
    change: Change


class _Condition(msgspec.Struct):
    type: str
    status: str
    message: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] | None = None


class _Definition(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


def _nothing(_placed: Placed) -> None:
    """Nobody listens."""


async def install_manifests(
    api: Api,
    clock: Clock,
    objects: Iterable[dict[str, Json]] = (),
    *,
    probe_in: str = "default",
    lenient: bool = False,
    on: Callable[[Placed], None] = _nothing,
) -> tuple[Placed, ...]:
    """Applies the objects in their order (else the definitions and the admission policy; again is harmless), says
    each to `on`, and returns when the server serves our kinds and refuses a false actor in namespace `probe_in`.

    Where `lenient`, objects of the cluster that the caller may not write are left as they are. Raises InstallError,
    and NoAnswer for an unreachable server."""
    placed = []
    for manifest in objects or manifests():
        one = Placed(thing=thing(manifest), change=await _apply(api, manifest, lenient=lenient))
        placed.append(one)
        on(one)
    for one in placed:
        if one.thing.kind == "CustomResourceDefinition" and one.change is not Change.LEFT:
            await _established(api, clock, one.thing.name)
    await _enforced(api, clock, probe_in)
    return tuple(placed)


def thing(manifest: dict[str, Json]) -> Thing:
    """Which object a manifest is of."""
    metadata = manifest["metadata"]
    if not isinstance(metadata, dict):
        raise TypeError("an object without metadata")
    return Thing(str(manifest["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"]))


async def _apply(api: Api, manifest: dict[str, Json], *, lenient: bool) -> Change:
    what = thing(manifest)
    before = await api.send(kinds.right(what.kind, "get"), what.namespace, what.name)
    if what.kind == "Namespace" and before.status != NOT_FOUND:
        return Change.UNCHANGED  # somebody's, or ours already: its labels are not ours to change
    asked = kinds.right(what.kind, "patch")
    reply = await api.send(
        asked,
        what.namespace,
        what.name,
        params={"fieldManager": MANAGER, "force": "true"},
        body=msgspec.json.encode(manifest),
        content_type=APPLY_PATCH,
    )
    if lenient and reply.status == FORBIDDEN and what.kind in CLUSTER_KINDS:
        return Change.LEFT
    if not reply.ok:
        raise InstallError(_refused(what, reply))
    if before.status == NOT_FOUND:
        return Change.CREATED
    return Change.UNCHANGED if before.ok and _content(before) == _content(reply) else Change.CONFIGURED


def _refused(what: Thing, reply: Reply) -> str:
    said = f"{what}: {reply.message()}"
    if reply.status == FORBIDDEN:
        return f"{said}\nneeded: {kinds.needed(kinds.right(what.kind, 'patch'), what.namespace)}"
    if reply.status == NOT_FOUND and what.namespace:
        return f"{said}\nthe policy watches namespace {what.namespace}: create it, or take it out of the policy"
    return said


def _content(reply: Reply) -> dict[str, Any]:
    """The object without what the server keeps about it: a version can move though nothing was changed."""
    whole: dict[str, Any] = msgspec.json.decode(reply.body)
    metadata: dict[str, Any] = whole.get("metadata") or {}
    kept = {key: value for key, value in metadata.items() if key not in KEPT_BY_SERVER}
    return {**{key: value for key, value in whole.items() if key != "status"}, "metadata": kept}


async def _established(api: Api, clock: Clock, name: str) -> None:
    deadline = clock.mono().plus(TIMEOUT_S)
    asked = kinds.right("CustomResourceDefinition", "get")
    while True:
        reply = await api.send(asked, "", name)
        found = msgspec.json.decode(reply.body, type=_Definition).status.conditions or [] if reply.ok else []
        if any(each.type == "Established" and each.status == "True" for each in found):
            return
        if clock.mono() > deadline:
            raise InstallError(f"{name} was not established: {[each.message for each in found]}")
        await clock.sleep_until(clock.mono().plus(POLL_S))


async def _enforced(api: Api, clock: Clock, namespace: str) -> None:
    """Tries, without effect, to write as somebody else until that is refused."""
    deadline = clock.mono().plus(TIMEOUT_S)
    while True:
        answer = await enforced(api, clock, namespace)
        if answer is True:
            return
        if isinstance(answer, Rejected):
            needed = kinds.needed(kinds.right(UNIT_KIND, "create"), namespace)
            raise InstallError(f"{answer.detail}\nneeded, to see the rules enforced: {needed}")
        if clock.mono() > deadline:
            detail = answer.detail if isinstance(answer, Unknown) else "an order under another's name is not refused"
            raise InstallError(f"the admission policy is not enforced: {detail}")
        await clock.sleep_until(clock.mono().plus(POLL_S))

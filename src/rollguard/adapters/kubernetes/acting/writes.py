"""What the server's answer to a patch means. On 422 the object is read again: a failed `test` and an invalid value
answer alike."""

from __future__ import annotations

from typing import Any

import msgspec

from rollguard.adapters.kubernetes.acting import reads
from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import JSON_PATCH, MANAGER, Api, NoAnswer, Reply
from rollguard.adapters.kubernetes.objects.template import template_of
from rollguard.adapters.kubernetes.objects.wire import OnlyMeta, WholeDeployment
from rollguard.adapters.numbers import whole_number
from rollguard.model.action import Absent, Applied, Conflict, Rejected, Throttled, Unknown, Write, WriteOutcome
from rollguard.ports import Clock

THROTTLED_S = 1.0
UNSAID = (408, 425, 499)
"""The server, or something before it, gave up: that says nothing of the write."""
MISSING = object()
PATCH = {
    "Deployment": rights.PATCH_DEPLOYMENT,
    "Service": rights.PATCH_SERVICE,
    "HorizontalPodAutoscaler": rights.PATCH_AUTOSCALER,
}


async def patch(api: Api, clock: Clock, write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
    """Sends the patch once, within `timeout` seconds, and says what became of it. KeyError for a kind that no step
    writes to."""
    params = {"fieldManager": MANAGER, **({"dryRun": "All"} if dry_run else {})}
    ref, began = write.ref, clock.mono()
    try:
        reply = await api.send(
            PATCH[ref.kind],
            ref.namespace,
            ref.name,
            params=params,
            body=write.patch,
            content_type=JSON_PATCH,
            timeout=timeout,
        )
    except NoAnswer as error:
        return Unknown(detail=str(error))
    if reply.status == 422:
        left = max(0.1, timeout - clock.mono().since(began))
        return await _classify(api, write, reply, timeout=left)
    if not dry_run and _not_yet(reply):
        return Rejected(status=reply.status, detail=reply.message(), passing=True)
    return _outcome(ref.kind, reply, clock)


def _not_yet(reply: Reply) -> bool:
    """An API server that has just started may not know its users and roles yet: 401, and 403 by authorization.

    The dry run had the right a moment ago. A 403 by admission is no such refusal.
    """
    return reply.status == 401 or (reply.status == 403 and " is forbidden: User " in reply.message())


def _outcome(kind: str, reply: Reply, clock: Clock) -> WriteOutcome:
    if reply.ok:
        return _applied(kind, reply.body, clock)
    if reply.status == 404:
        return Absent()
    if reply.status == 409:
        return Conflict(detail=reply.message())
    if reply.status == 429:
        return Throttled(after=reply.retry_after if reply.retry_after is not None else THROTTLED_S)
    if 400 <= reply.status < 500 and reply.status not in UNSAID:
        return Rejected(status=reply.status, detail=reply.message())
    return Unknown(detail=reply.message())


def _applied(kind: str, body: bytes, clock: Clock) -> Applied:
    if kind != "Deployment":
        generation = msgspec.json.decode(body, type=OnlyMeta).metadata.generation
        return Applied(at=clock.now(), generation=generation)
    written = msgspec.json.decode(body, type=WholeDeployment)
    template = template_of(written.spec.template)
    return Applied(
        at=clock.now(),
        generation=written.metadata.generation,
        template_body=template.body,
        template_digest=template.digest,
    )


async def _classify(api: Api, write: Write, refused: Reply, *, timeout: float) -> WriteOutcome:
    """422: Conflict where a guard no longer holds on a fresh read, else Rejected."""
    try:
        reply = await reads.read(api, write.ref, timeout=timeout)
    except NoAnswer:
        # Nothing was applied, and why is not known: read again and decide again.
        return Conflict(detail=refused.message())
    if reply.status == 404:
        return Absent()
    if reply.ok and (failed := failed_test(write.patch, reply.body)):
        return Conflict(detail=f"changed since it was read: {failed}")
    return Rejected(status=refused.status, detail=refused.message())


def failed_test(patch_: str, body: bytes) -> str:
    """The path of the patch's first guard that the object does not pass; empty where it passes all.

    A test of what the patch itself changed before says nothing about the object as it was: it is left out.
    """
    operations: list[dict[str, Any]] = msgspec.json.decode(patch_)
    document: Any = msgspec.json.decode(body)
    changed: list[str] = []
    for operation in operations:
        op, path = str(operation.get("op")), str(operation.get("path", ""))
        if any(_touches(path, earlier) for earlier in changed):
            continue
        found = _at(document, path)
        if op == "test" and (None if found is MISSING else found) != operation.get("value"):
            return path
        if op in ("replace", "remove") and found is MISSING:
            return path
        if op != "test":
            changed.append(path)
    return ""


def _touches(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")


def _at(document: Any, pointer: str) -> Any:
    here = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and (index := whole_number(key)) is not None and index < len(here):
            here = here[index]
        else:
            return MISSING
    return here

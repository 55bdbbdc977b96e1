"""`rollguard uninstall`: the guard is stopped, lets go what it holds back, and leaves the cluster as it was."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from cyclopts import Parameter

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api
from rollguard.adapters.kubernetes.installing import farewell, kinds, removal
from rollguard.adapters.kubernetes.installing.removal import Found, Lister
from rollguard.cli import exits, output
from rollguard.cli.connect import GUARD_NAMESPACE, Way, opened, refusals_told
from rollguard.model.policy import Policy
from rollguard.policy import load
from rollguard.render import CONFIG_NAME, POLICY_KEY


def uninstall(
    *,
    namespace: Annotated[str, Parameter(name=["-n", "--namespace"])] = GUARD_NAMESPACE,
    keep_records: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    force: bool = False,
    way: Way | None = None,
) -> int:
    """Stop the guard and leave the cluster as it was.

    The Deployment goes first. When no guard acts any more, its pauses are lifted and raised minimums of autoscalers are
    put back; then its rights, its policy, its evidence, the admission policy and, last, the definitions with all their
    objects are deleted. The receipt annotation of an undo stays on its Deployment: it does nothing.

    Parameters
    ----------
    namespace
        Where the guard runs.
    keep_records
        Keep the definitions, GuardedUnits, GuardedRollouts and evidence.
    dry_run
        Only say what would be deleted.
    yes
        Needed, for records are deleted for good.
    force
        Also while a rollback is under way, which then stays half done.
    """
    if dry_run == yes:
        raise exits.CommandError("say --yes to delete, or --dry-run to see what would be deleted", exits.USAGE)
    work = _uninstall(way or Way(), namespace=namespace, keep_records=keep_records, dry_run=dry_run, force=force)
    return asyncio.run(refusals_told(work))


async def _uninstall(way: Way, *, namespace: str, keep_records: bool, dry_run: bool, force: bool) -> int:
    clock = SystemClock()
    async with opened(way, clock) as api:
        lister = Lister(api=api, namespaces=await _namespaces(api, namespace))
        found = await removal.find(lister, namespace=namespace, keep_records=keep_records)
        if dry_run:
            return _told(
                found, namespace, None if found.kept else await farewell.stays(lister, namespace, found.things())
            )
        if found.live and not force:
            raise exits.CommandError(
                f"a rollback is under way: {', '.join(found.live)}; wait until it is done (`rollguard watch`),"
                " or leave it half done with --force"
            )
        await farewell.stop(api, clock, found, namespace=namespace, say=output.say)
        await farewell.let_go(lister, found.namespaces(), say=output.say)
        await farewell.remove(api, clock, found, say=output.say)
        if not found.kept:
            await farewell.leave_namespace(lister, namespace, say=output.say)
        for each in found.kept:
            output.say(f"kept: {each}")
    output.say("uninstalled" if found.things() else f"nothing of a guard in {namespace} was found")
    return exits.OK


def _told(found: Found, namespace: str, stays: str | None) -> int:
    """`stays` is why the guard's namespace would stay, empty where it would not; None where it is left as it is."""
    for each in found.things():
        output.say(f"{each}: would be deleted")
    if stays is not None:
        output.say(stays or f"Namespace {namespace}: would be deleted")
    for kept in found.kept:
        output.say(f"kept: {kept}")
    for live in found.live:
        output.say(f"a rollback is under way: {live}")
    output.say("nothing was changed")
    return exits.OK


class _ConfigMap(msgspec.Struct):
    data: dict[str, str] | None = None


async def _namespaces(api: Api, namespace: str) -> tuple[str, ...]:
    """Where to look when the caller may not look everywhere: the guard's namespace and those of its policy."""
    reply = await api.send(kinds.right("ConfigMap", "get"), namespace, CONFIG_NAME)
    text = (msgspec.json.decode(reply.body, type=_ConfigMap).data or {}).get(POLICY_KEY, "") if reply.ok else ""
    policy = load(text, CONFIG_NAME) if text else ()
    watched = {watch.namespace for watch in policy.watches} if isinstance(policy, Policy) else set()
    return tuple(sorted({namespace, *watched}))

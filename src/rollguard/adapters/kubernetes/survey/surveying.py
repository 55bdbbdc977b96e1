"""The whole survey of a cluster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.installing.enforcement import enforced
from rollguard.adapters.kubernetes.survey.asking import Asking
from rollguard.adapters.kubernetes.survey.guard import guard
from rollguard.adapters.kubernetes.survey.installed import installed, version
from rollguard.adapters.kubernetes.survey.rights import Account, RightsAsked, rights_of
from rollguard.adapters.kubernetes.survey.workloads import namespace
from rollguard.doctor.facts import GuardSeen, Installed, NamespaceSeen, Rights, ServerVersion
from rollguard.model.action import Rejected, Unknown
from rollguard.model.policy import Policy
from rollguard.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSeen:
    """All that a survey found. `offset` is the API server's clock against ours."""

    version: ServerVersion | Unknown
    installed: tuple[Installed, ...]
    enforced: bool | Unknown
    rights: Rights
    guard: GuardSeen
    namespaces: tuple[NamespaceSeen, ...]
    offset: float | None


async def survey(
    api: Api, clock: Clock, policy: Policy, *, guard_namespace: str, account: Account | None, me: str
) -> ClusterSeen:
    """Asks everything at once. `account` is whose rights are asked for; None for those of who asks, named `me`."""
    asking = Asking(api)
    watched = policy.namespaces()
    asked = RightsAsked(
        rights=rights.needed(policy), watched=watched, guard=guard_namespace, sets=policy.set_namespaces()
    )
    async with asyncio.TaskGroup() as group:
        is_version = group.create_task(version(asking))
        is_installed = group.create_task(installed(asking))
        is_enforced = group.create_task(_enforced(api, clock, guard_namespace))
        has_rights = group.create_task(rights_of(asking, account, asked, me=me))
        is_guard = group.create_task(guard(asking, guard_namespace))
        are_there = [
            group.create_task(namespace(asking, name, clock.now(), sets=name in policy.set_namespaces()))
            for name in watched
        ]
    return ClusterSeen(
        version=is_version.result(),
        installed=is_installed.result(),
        enforced=is_enforced.result(),
        rights=has_rights.result(),
        guard=is_guard.result(),
        namespaces=tuple(task.result() for task in are_there),
        offset=asking.clock_offset(),
    )


async def _enforced(api: Api, clock: Clock, namespace: str) -> bool | Unknown:
    answer = await enforced(api, clock, namespace)
    return Unknown(detail=answer.detail) if isinstance(answer, Rejected) else answer

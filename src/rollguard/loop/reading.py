"""Quorum reads of what a plan's steps are about, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from rollguard.model.action import Reading
from rollguard.model.names import AUTOSCALER, SERVICE, Ref
from rollguard.ports import Cluster


async def read(cluster: Cluster, refs: tuple[Ref, ...], *, timeout: float) -> Mapping[Ref, Reading]:
    """Each object as the server has it now; Unknown where it does not answer."""
    found = await asyncio.gather(*(_read(cluster, ref, timeout) for ref in refs))
    return dict(zip(refs, found, strict=True))


async def _read(cluster: Cluster, ref: Ref, timeout: float) -> Reading:
    match ref.kind:
        case kind if kind == SERVICE:
            return await cluster.fetch_service(ref, timeout=timeout)
        case kind if kind == AUTOSCALER:
            return await cluster.fetch_autoscaler(ref, timeout=timeout)
        case _:
            return await cluster.fetch(ref, timeout=timeout)

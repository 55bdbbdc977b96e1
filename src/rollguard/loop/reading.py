"""Quorum reads of what a plan's steps are about, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from rollguard.loop.context import Context
from rollguard.model.action import Reading
from rollguard.model.names import AUTOSCALER, SERVICE, Ref


async def read(context: Context, refs: tuple[Ref, ...]) -> Mapping[Ref, Reading]:
    """Each object as the server has it now; Unknown where it does not answer."""
    found = await asyncio.gather(*(_read(context, ref) for ref in refs))
    return dict(zip(refs, found, strict=True))


async def _read(context: Context, ref: Ref) -> Reading:
    timeout = context.settings.request_timeout
    match ref.kind:
        case kind if kind == SERVICE:
            return await context.cluster.fetch_service(ref, timeout=timeout)
        case kind if kind == AUTOSCALER:
            return await context.cluster.fetch_autoscaler(ref, timeout=timeout)
        case _:
            return await context.cluster.fetch(ref, timeout=timeout)

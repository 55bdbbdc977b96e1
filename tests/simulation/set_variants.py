"""The guard of release sets with one of its rules taken away, and where that shows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollguard.loop import executor, look, sets
from rollguard.loop.context import Context
from rollguard.model.action import Found, Plan, Step, StepKind, StepState, Write, WriteOutcome
from rollguard.model.lifecycle import Tell
from rollguard.model.records import RolloutRecord
from rollguard.sim.cluster import SimCluster
from rollguard.sim.faults import Fault
from rollguard.undo import colours, scaling, switching
from rollguard.undo.answers import OfStep, over
from rollguard.undo.moment import Moment
from tests.simulation.harness import Wiring
from tests.simulation.variants import Patch, Variant


class UnguardedSetCluster(SimCluster):
    """Writes without their guards: no `test`, no version."""

    async def apply(self, write: Write, *, dry_run: bool, timeout: float) -> WriteOutcome:
        asked = json.loads(write.patch)
        kept = [o for o in asked if o["op"] != "test" and o["path"] != "/metadata/resourceVersion"]
        return await super().apply(replace(write, patch=json.dumps(kept)), dry_run=dry_run, timeout=timeout)


def _leave(kind: StepKind, state: StepState) -> Patch:
    """Steps of that kind are over at once."""

    def answer(step: Step, at: Moment) -> OfStep:
        return over(step, state, "not looked at", at.now)

    def patch_it(patch: pytest.MonkeyPatch) -> None:
        patch.setitem(colours.OF_KIND, kind, answer)

    return patch_it


def _without_capacity(patch: pytest.MonkeyPatch) -> None:
    _leave(StepKind.SCALE_UP, StepState.DONE)(patch)
    patch.setattr(switching, "able", lambda step, at, ready: "")


def _without_drain(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scaling, "_drained", lambda step, at: None)


def _tell_nobody(patch: pytest.MonkeyPatch) -> None:
    async def nothing(context: Context, record: RolloutRecord, tell: Tell) -> None:
        """As if it were no news."""

    patch.setattr(executor, "_tell", nothing)


def _judge_half_states(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(look, "stopped_half", lambda record: False)
    patch.setattr(sets, "stopped_half", lambda record: False)


def _switch_from_anything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(switching, "released_anew", lambda step, at: "")


def _forget_receipts(patch: pytest.MonkeyPatch) -> None:
    def never(plan: Plan, step: Step, receipt: str) -> bool:
        return False

    patch.setattr(switching, "left_by", never)
    patch.setattr(scaling, "switched_again", lambda step, at: "")
    patch.setattr(switching, "switched_again", lambda step, at: "")


def _back_to_anything(patch: pytest.MonkeyPatch) -> None:
    def fits(step: Step, found: Found) -> str:
        return ""

    patch.setattr(scaling, "_unfit", fits)


SET_VARIANTS = (
    Variant(
        name="set: no write guards",
        breaks=("overwrote a newer change", "took effect twice", "back twice", "wrong way", "without a stored plan"),
        story="set: third switch",
        focus=tuple(
            ("cluster.apply", fault, visit) for visit in (1, 2, 3) for fault in (Fault.APPLIED_LATE, Fault.SLOW)
        ),
        wiring=Wiring(cluster=UnguardedSetCluster),
    ),
    Variant(
        name="set: capacity is not waited for",
        breaks=("the first switch leaves before", "without ready pods"),
        story="set: bad",
        patch=_without_capacity,
    ),
    Variant(
        name="set: no drain",
        breaks=("after the last switch", "still ask it", "were reset"),
        story="set: bad",
        patch=_without_drain,
    ),
    Variant(
        name="set: the minimum stays raised",
        breaks=("the minimum of",),
        story="set: blue idles",
        patch=_leave(StepKind.RESTORE_MINIMUM, StepState.SKIPPED),
    ),
    Variant(
        name="set: a half state is told to nobody",
        breaks=("nobody was paged", "neither done nor held and paged"),
        story="set: refused for good",
        patch=_tell_nobody,
    ),
    Variant(
        name="set: a half state is judged on",
        breaks=("neither done nor held and paged",),
        story="set: frozen half way",
        patch=_judge_half_states,
    ),
    Variant(
        name="set: switched away from a newer release",
        breaks=("was released anew",),
        story="set: fixed forward",
        patch=_switch_from_anything,
    ),
    Variant(
        name="set: no receipt of a switch",
        breaks=("back twice", "took effect twice", "overwrote a newer change"),
        story="set: switched again at once",
        focus=(("cluster.apply", Fault.KILLED_AFTER, 0), ("cluster.apply", Fault.APPLIED_UNKNOWN, 1)),
        patch=_forget_receipts,
    ),
    Variant(
        name="set: a template that did not serve",
        breaks=("a template that did not serve before", "which is bad"),
        story="set: loaded before the switch",
        patch=_back_to_anything,
    ),
)

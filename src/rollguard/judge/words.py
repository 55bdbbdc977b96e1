"""Values, bounds and sentences for people."""

from __future__ import annotations

from rollguard.judge.kinds import KINDS
from rollguard.judge.reference import BEFORE, BESIDE
from rollguard.judge.window import LAST_WITHOUT_GAP, Window
from rollguard.model.judgement import Reference
from rollguard.model.signals import Level, Signal, SignalKind
from rollguard.policy import durations
from rollguard.policy.amounts import amount, percent

NEW_PODS = "new pods"
ALL_PODS = "all pods"

NOTHING_REACHED = "nothing was reached, and every required signal was complete"
"""Why a release is healthy."""


def unit_of(signal: Signal) -> str:
    """How the signal's values are written."""
    if signal.kind is SignalKind.GAUGE and signal.limit:
        return "%"
    return KINDS[signal.kind].unit + (" per pod" if signal.per_pod else "")


def level_text(signal: Signal, level: Level, seen: Window, reference: Reference, arm: str) -> str:
    """One sentence: the value, over how much and how long, its bound, on which pods, and the reference beside it."""
    unit = unit_of(signal)
    span = durations.format_(level.seconds)
    where = "on all pods" if arm == ALL_PODS else f"on the {arm}"
    value = seen.pooled.value
    if value is None:
        return f"{signal.name}: no data over {span}, bound {_bound(signal, level, seen.bound, unit)}, {where}"
    text = f"{signal.name}: {_measured(signal, level, value, seen.pooled.total, unit)} over {span}"
    text += f", bound {_bound(signal, level, seen.bound, unit)}, {where}"
    return text + _beside(reference, unit)


def lacking(signal: Signal, seen: Window) -> str:
    """What is missing for the level to be reached where its value is past the bound; else empty."""
    value = seen.pooled.value
    if seen.reached or value is None or value <= seen.bound:
        return ""
    if seen.owed < seen.slots:
        return f"{seen.owed} of the window's {seen.slots} slots have passed"
    if not seen.usable:
        return (
            f"{seen.gaps} of {seen.slots} slots are missing (a tenth may be, and none of the last {LAST_WITHOUT_GAP})"
        )
    if not seen.enough:
        return f"{seen.pooled.total:,.0f} requests, {max(1, signal.minimum_traffic):,} are needed"
    return "it is not past its bound in each third of the window"


def _measured(signal: Signal, level: Level, value: float, total: float, unit: str) -> str:
    if signal.kind is SignalKind.RATIO:
        return f"{percent(value)} of {total:,.0f} requests"
    if signal.kind is SignalKind.HISTOGRAM:
        return f"{percent(value)} of {total:,.0f} requests took longer than {durations.format_(level.bound)}"
    if signal.kind is SignalKind.GAUGE:
        return f"{amount(value, unit)} (highest pod)"
    return amount(value, unit)


def _bound(signal: Signal, level: Level, bound: float, unit: str) -> str:
    if signal.kind is SignalKind.HISTOGRAM and level.quantile is not None:
        quantile = f"P{level.quantile * 100:.4g} > {durations.format_(level.bound)}"
        return f"{percent(bound)} ({quantile})"
    return amount(bound, unit)


def _beside(reference: Reference, unit: str) -> str:
    if reference.value is None:
        return ""
    source = {BESIDE: "old pods beside them", BEFORE: "before the rollout"}[reference.source]
    text = f"; {source} {amount(reference.value, unit)}"
    if reference.past_bound and reference.source == BESIDE and not reference.not_worse:
        text += " (past the bound there, or before the rollout)"
    elif reference.not_worse:
        text += " (not worse by an exact test at 1%)"
    return text

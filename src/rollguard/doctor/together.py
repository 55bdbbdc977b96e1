"""Checks for people: the same finding of many signals and workloads is one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from rollguard.doctor.check import Check, State
from rollguard.policy.amounts import counted

NAMED = 3
"""Subjects of one finding that are named; of more their number is told."""


def together(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks in their order; those with the same finding that is not ok as one, in the first one's place."""
    same: defaultdict[tuple[str, str, State, str, str], list[Check]] = defaultdict(list)
    for check in checks:
        same[_finding(check)].append(check)
    shown = []
    for check in checks:
        first, *others = same[_finding(check)]
        if check.state is State.OK or not others:
            shown.append(check)
        elif check is first:
            shown.append(
                replace(check, subject=_subjects([first.subject, *(each.subject for each in others)]), unit=None)
            )
    return tuple(shown)


def _finding(check: Check) -> tuple[str, str, State, str, str]:
    return check.group, check.name, check.state, check.found, check.what_to_do


def _subjects(subjects: Sequence[str]) -> str:
    """`4 signals of shop/api, worker` where each of the signals is there for each of the workloads; else names."""
    parts = [subject.partition(" of ") for subject in subjects]
    signals, workloads = {left for left, _, _ in parts}, {right for _, _, right in parts}
    if not all(of for _, of, _ in parts) or len(signals) * len(workloads) != len(subjects):
        return _named(subjects)
    ordered = list(dict.fromkeys(left for left, _, _ in parts))
    what = ", ".join(ordered) if len(ordered) <= NAMED else counted(len(ordered), "signal")
    return f"{what} of {_named(_short(dict.fromkeys(right for _, _, right in parts)))}"


def _short(workloads: Iterable[str]) -> list[str]:
    """Each namespace at the first of its workloads alone: `shop/api`, `worker`."""
    shown, before = [], ""
    for workload in workloads:
        namespace, _, name = workload.rpartition("/")
        shown.append(name if namespace == before else workload)
        before = namespace
    return shown


def _named(names: Collection[str]) -> str:
    shown = list(names)[:NAMED]
    return ", ".join(shown) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")

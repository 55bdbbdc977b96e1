"""What a policy's workloads are called, for commands: an example of each, and the labels that select pods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollguard.model.policy import Policy, Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A workload to fill commands with."""

    namespace: str
    deployment: str
    app: str
    """The member or the workload: the value of the pods' label."""
    colour_label: str = ""
    """The label with the colour; empty where it has none."""


def examples(policy: Policy, signal: str = "") -> tuple[Example, ...]:
    """The workloads of the policy to which a signal applies (all without one), in its order; of a pair the second
    colour, for it is the one that a release comes with."""
    found = tuple(each for watch in policy.watches for each in _of_watch(watch, signal))
    return found or tuple(each for watch in policy.watches for each in _of_watch(watch, ""))


def _of_watch(watch: Watch, signal: str) -> Iterator[Example]:
    if watch.release_set is not None:
        for member in watch.release_set.members:
            if not signal or watch.of_member(member).uses(signal):
                yield Example(
                    namespace=watch.namespace,
                    deployment=member.workload(watch.release_set.colours[1]),
                    app=member.name,
                    colour_label=watch.release_set.selector_key,
                )
        return
    if signal and not watch.uses(signal):
        return
    # selected by labels: their names are not known here
    for name in watch.workloads or ("DEPLOYMENT",):
        yield Example(namespace=watch.namespace, deployment=name, app=name)

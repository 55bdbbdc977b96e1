"""Which watch guards a workload."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.facts import InventoryItem
from rollguard.model.policy import Mode, Policy, SetMember, Watch
from rollguard.model.signals import Signal, SignalKind

OPT_OUT = "rollguard.dev/guard"


def watch_of(policy: Policy, item: InventoryItem) -> Watch | None:
    """The watch that names the workload, else the first whose selector matches its labels; None where there is none
    or where the workload opts out by the annotation `rollguard.dev/guard: "off"`.

    For a colour of a release set it is a watch that only observes, with the signals that an idle colour has.
    """
    if dict(item.annotations).get(OPT_OUT) == "off":
        return None
    near = [watch for watch in policy.watches if watch.namespace == item.name.namespace]
    for watch in near:
        if item.name.name in watch.workloads:
            return watch
        found = watch.release_set.member_of(item.name.name) if watch.release_set is not None else None
        if found is not None:
            return _of_colour(policy, watch, *found)
    labels = dict(item.labels)
    for watch in near:
        if watch.selector and all(labels.get(key) == value for key, value in watch.selector):
            return watch
    return None


def _of_colour(policy: Policy, watch: Watch, member: SetMember, colour: str) -> Watch:
    own = watch.of_member(member)
    return replace(
        own,
        workloads=(member.workload(colour),),
        mode=Mode.OBSERVE,
        signals=tuple(signal.name for signal in policy.signals if _without_traffic(signal, own)),
        own_mode=True,
        colour_of=watch.name,
    )


def _without_traffic(signal: Signal, watch: Watch) -> bool:
    """Whether it says something of pods that nobody sends a request: the event rules, and what each pod uses. A shared
    resource is used by the colour that is live."""
    if signal.kind is SignalKind.EVENT:
        return True
    own = signal.kind in (SignalKind.RATE, SignalKind.GAUGE) and not signal.required and not signal.shared
    return own and watch.uses(signal.name)

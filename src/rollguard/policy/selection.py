"""Which watch guards a workload."""

from __future__ import annotations

from rollguard.model.facts import InventoryItem
from rollguard.model.policy import Policy, Watch

OPT_OUT = "rollguard.dev/guard"


def watch_of(policy: Policy, item: InventoryItem) -> Watch | None:
    """The watch that names the workload, else the first whose selector matches its labels; None where there is none
    or where the workload opts out by the annotation `rollguard.dev/guard: "off"`."""
    if dict(item.annotations).get(OPT_OUT) == "off":
        return None
    near = [watch for watch in policy.watches if watch.namespace == item.name.namespace]
    for watch in near:
        if item.name.name in watch.workloads:
            return watch
    labels = dict(item.labels)
    for watch in near:
        if watch.selector and all(labels.get(key) == value for key, value in watch.selector):
            return watch
    return None

"""Failures that no image names: a database that is down, a registry that refuses, a busy node.

Rules change how apps really answer; nothing here touches metrics or statuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lab.kubelet.behaviour import PullFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the rules that match a pod add up to."""

    error_ratio: float = 0.0
    database_error_ratio: float = 0.0
    latency_s: float = 0.0
    cpu_cores: float = 0.0
    memory_bytes: float = 0.0
    pull: PullFailure | None = None
    retag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: an effect on the pods of a namespace (empty: all) whose labels contain `selector`.

    `database_down` answers 503 to every request, or to a share `error_ratio` of them, and counts failed connections.
    `pull` fails new pulls only. `retag` gives other content to an `image` that is pulled from now on (a node pulls
    an image that it has only under `imagePullPolicy: Always`).
    """

    namespace: str = ""
    selector: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    error_ratio: float = 0.0
    database_down: bool = False
    latency_s: float = 0.0
    cpu_cores: float = 0.0
    memory_bytes: float = 0.0
    pull: PullFailure | None = None
    retag: str = ""

    def matches(self, namespace: str, labels: Mapping[str, str], image: str) -> bool:
        return (
            self.namespace in ("", namespace)
            and self.image in ("", image)
            and all(labels.get(key) == value for key, value in self.selector.items())
        )


def parse_rule(document: Mapping[str, Any]) -> Rule:
    """A rule from its JSON. Raises ValueError that lists the known fields for an unknown one."""
    known = {entry.name for entry in fields(Rule)}
    unknown = sorted(set(document) - known)
    if unknown:
        raise ValueError(f"unknown field {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return Rule(**document)


class Chaos:
    """The rules in force on one node. `version` moves with each change, so that pods can keep their effect."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self.version = 0

    def add(self, rule: Rule) -> None:
        self._rules.append(rule)
        self.version += 1

    def clear(self, namespace: str = "") -> None:
        """Removes the rules of a namespace, or all of them."""
        self._rules = [rule for rule in self._rules if namespace and rule.namespace != namespace]
        self.version += 1

    def effect(self, namespace: str, labels: Mapping[str, str], image: str = "") -> Effect:
        """All matching rules together: ratios by the largest, latency and usage by the sum."""
        rules = [rule for rule in self._rules if rule.matches(namespace, labels, image)]
        database = [rule.error_ratio or 1.0 for rule in rules if rule.database_down]
        return Effect(
            error_ratio=max((rule.error_ratio for rule in rules if not rule.database_down), default=0.0),
            database_error_ratio=max(database, default=0.0),
            latency_s=sum(rule.latency_s for rule in rules),
            cpu_cores=sum(rule.cpu_cores for rule in rules),
            memory_bytes=sum(rule.memory_bytes for rule in rules),
            pull=next((rule.pull for rule in rules if rule.pull), None),
            retag=next((rule.retag for rule in rules if rule.retag), ""),
        )

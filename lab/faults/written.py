"""What the writes of a rollback say that none before them said: the points at which a run can be struck.

Numbers do not tell writes apart where controllers die, autoscalers help, or two lines of a story share a write: what
stands in them does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lab.proxy import WriteSeen

WORDS = 4
"""Of a line of the story: what follows differs from run to run."""


def said(write: WriteSeen) -> frozenset[str]:
    """All that stands in a write, in words that are the same in every run of the same story."""
    namespace, kind, name = (*write.path.rpartition("/namespaces/")[2].split("/"), "")[:3]
    body: Any = msgspec.json.decode(write.body)
    if kind == "guardedrollouts" and write.method == "PUT":
        return frozenset(each.replace(name, "ID").replace(namespace, "NS") for each in _of_rollout(body["status"]))
    if kind == "guardedunits" and write.method == "PUT":
        return frozenset(_of_unit(body["status"]))
    goal = f" to {body[-1].get('value')}" if isinstance(body, list) else ""
    return frozenset((f"{'try ' if write.dry_run else ''}{write.method} {kind}/{name}{goal}",))


def of_the_users_objects(point: Iterable[str]) -> bool:
    """Whether it is a write of a Service, a Deployment or an autoscaler."""
    kinds = ("services", "deployments", "horizontalpodautoscalers")
    return any(f"{kind}/" in each for kind in kinds for each in point)


def points(writes: Sequence[WriteSeen], *, since: str) -> list[frozenset[str]]:
    """What each write of a run says for the first time, in order, from the one that says `since`.

    Writes that say nothing new are left out.
    """
    known: set[str] = set()
    found: list[frozenset[str]] = []
    for write in sorted(writes, key=lambda write: write.n):
        new = said(write) - known
        known |= new
        if new and (found or since in new):
            found.append(new)
    return found


@dataclass(slots=True, kw_only=True)
class AtPoints:
    """Every write that says something of these points for the first time in its run."""

    name: str
    points: Sequence[frozenset[str]]
    struck: set[str] = field(default_factory=set)
    """What the struck writes said for the first time."""
    _known: set[str] = field(default_factory=set)

    def hits(self, write: WriteSeen) -> bool:
        """Whether it is one of them."""
        new = said(write) - self._known
        self._known |= new
        if not any(new & point for point in self.points):
            return False
        self.struck |= new
        return True


def _of_rollout(status: Any) -> Iterator[str]:
    yield f"rollout {status['state']}"
    yield f"verdict {status.get('verdict')}"
    yield from (f"step {step['n']} {step['state']}" for step in status.get("plan", {}).get("steps", ()))
    yield from (f"notice {notice['topic']} {notice['state']}" for notice in status.get("notices", ()))
    yield from (f"told {entry['kind']}: {' '.join(entry['text'].split()[:WORDS])}" for entry in status["timeline"])
    yield from (key for key in ("evidence", "incident", "outcome", "closed") if status.get(key))


def _of_unit(status: Any) -> Iterator[str]:
    yield "unit busy" if status.get("currentRollout") else "unit free"
    yield f"unit counts {len(status.get('automaticRollbacks', ()))} rollbacks"

"""What the guard must be allowed to do, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """Where a right is needed. The value is how a person reads it."""

    WATCHED = "the watched namespaces"
    GUARD = "the guard's namespace"
    BOTH = "the watched namespaces and the guard's"
    CLUSTER = "the cluster"

    def covers(self, namespace: str, *, watched: tuple[str, ...], guard: str) -> bool:
        """Whether a right of this scope is needed in that namespace; one for the cluster is in none."""
        in_watched = self in (Scope.WATCHED, Scope.BOTH) and namespace in watched
        return in_watched or (self in (Scope.GUARD, Scope.BOTH) and namespace == guard)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Permission:
    """One verb on one resource (`pods/log` with its subresource), where it is needed and why."""

    group: str
    resource: str
    verb: str
    scope: Scope
    why: str

"""What the guard must be allowed to do, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """Where a right is needed. The value is how a person reads it."""

    WATCHED = "the watched namespaces"
    GUARD = "the guard's namespace"
    BOTH = "the watched namespaces and the guard's"
    SETS = "the namespaces with release sets"
    CLUSTER = "the cluster"

    def covers(self, namespace: str, *, watched: tuple[str, ...], guard: str, sets: tuple[str, ...] = ()) -> bool:
        """Whether a right of this scope is needed in that namespace; one for the cluster is in none.

        `sets` are the watched namespaces that have release sets.
        """
        in_watched = self in (Scope.WATCHED, Scope.BOTH) and namespace in watched
        at_guard = self in (Scope.GUARD, Scope.BOTH) and namespace == guard
        return in_watched or at_guard or (self is Scope.SETS and namespace in sets)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Permission:
    """One verb on one resource (`pods/log` with its subresource), where it is needed and why."""

    group: str
    resource: str
    verb: str
    scope: Scope
    why: str

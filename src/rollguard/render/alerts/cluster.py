"""Expressions over what kube-state-metrics and the guard itself say, each robust against two of the same exporter."""

from __future__ import annotations

import re

from rollguard.policy.promql import Matcher, narrowed
from rollguard.signals import DEPLOYMENT, NAMESPACE, POD, Scope

RECENT = "deployment:rollout_recent:bool"
"""1 by namespace and Deployment while a rollout is recent, else 0."""
TARGETS = "deployment:up:count"
"""How many scraped targets a Deployment has."""
WHERE = "{{ $labels.namespace }}/{{ $labels.deployment }}"
"""Names the Deployment in a description."""


def deployments(scope: Scope, name: str) -> str:
    """A series `kube_deployment_...` by namespace and Deployment."""
    return scope.by("max", scope.select(f"kube_deployment_{name}"), DEPLOYMENT)


def condition(scope: Scope, name: str, status: str, *more: Matcher) -> str:
    """The Deployments with a condition of that status, as 1."""
    matchers = (Matcher("condition", "=", name), Matcher("status", "=", status), *more)
    return f"{scope.by('max', scope.select('kube_deployment_status_condition', *matchers), DEPLOYMENT)} == 1"


def pods(scope: Scope, state: str) -> str:
    """How many pods of each Deployment are in a state; `state` yields 1 for each such pod, and nothing for others."""
    counted = scope.owned(f"({scope.by('max', state, POD)})")
    return f"count by ({', '.join(scope.own())}) ({counted})"


def told(scope: Scope, name: str) -> str:
    """The guard's own series of that name, by namespace and Deployment, where it is not 0."""
    (namespaces,) = scope.matchers
    # By our own names of the labels, whatever the store calls those of others.
    here = Matcher(NAMESPACE, namespaces.operator, namespaces.value)
    series = narrowed(name, (Matcher(DEPLOYMENT, "!=", ""), here), scope.store.match)
    return f"max by ({', '.join(scope.own())}) ({series}) > 0"


def glob(pattern: str) -> str:
    """The regular expression of a glob."""
    parts = {"*": ".*", "?": "."}
    return "".join(parts.get(char, re.escape(char) if char == "." else char) for char in pattern)

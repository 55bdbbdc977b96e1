"""A small good policy, and how tests change it."""

from __future__ import annotations

from rollguard.model.policy import Policy
from rollguard.policy import Mistakes, load

GOOD = """\
apiVersion: rollguard.dev/v1alpha1
kind: GuardPolicy
metadata:
  name: small
spec:
  metrics:
    address: http://prometheus:9090
  watch:
    - name: web
      namespace: production
      workloads: [web, api]
  signals:
    errors:
      kind: ratio
      bad: http_requests_total{status=~"5.."}
      total: http_requests_total
      levels:
        rollback: {above: 10%, for: 5m}
"""

WITH_SET = (
    GOOD.replace(
        "  signals:\n",
        """\
    - name: shop
      namespace: production
      releaseSet:
        selectorKey: version
        colours: [blue, green]
        members:
          - {name: backend, service: backend-service}
          - {name: frontend, service: frontend-service, signals: [errors]}
          - {name: workers, workloads: {blue: workers-blue, green: workers-green}}
  signals:
""",
    )
    + "  joinWindow: 3m\n  drain: 45s\n"
)


def changed(old: str, new: str) -> str:
    """The good policy with one piece of text replaced; fails where it is not there."""
    assert GOOD.count(old) >= 1, old
    return GOOD.replace(old, new, 1)


def added(*lines: str) -> str:
    """The good policy with lines added to its spec."""
    return GOOD + "".join(f"  {line}\n" for line in lines)


def good(text: str) -> Policy:
    """The policy of a text that has no mistakes."""
    found = load(text, "policy.yaml")
    assert isinstance(found, Policy), "\n".join(str(mistake) for mistake in found)
    return found


def mistakes(text: str) -> Mistakes:
    """The mistakes of a text that has some."""
    found = load(text, "policy.yaml")
    assert not isinstance(found, Policy)
    assert found
    return found


def only(text: str) -> str:
    """The one mistake of a text, in words."""
    found = mistakes(text)
    assert len(found) == 1, "\n".join(str(mistake) for mistake in found)
    return str(found[0])

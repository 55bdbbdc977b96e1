"""Times as the Kubernetes API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """Seconds since the epoch as `2026-01-02T03:04:05Z`, the precision of `metav1.Time`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(at: float) -> str:
    """As `metav1.MicroTime`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rfc3339_nano(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def parse(text: str) -> float:
    """Seconds since the epoch of a timestamp of the API."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

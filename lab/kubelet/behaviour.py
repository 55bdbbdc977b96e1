"""What an app does, named by its image's tag.

A tag is a list of words joined by `-`, for example `v2-errors-15pct-after-60s`. A version alone is a healthy app.
A tag that says nothing known is one that no registry has: its pull fails, so that a misspelt fault is never a
healthy app by accident.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

PullFailure = Literal["not-found", "unauthorized", "too-many-requests", "server-error", "timeout", "invalid-name"]

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One app's behaviour. Durations in seconds since the container's start, ratios of requests."""

    error_ratio: float = 0.002
    errors_after_s: float = 0.0
    latency_s: tuple[float, float] = (0.02, 0.05)
    slow_ratio: float = 0.0
    slow_s: float = 0.0
    slow_after_s: float = 0.0
    crash_after_s: float | None = None
    leak_bytes_per_s: float = 0.0
    leak_after_s: float = 0.0
    db_errors_per_min: float = 0.0
    db_errors_after_s: float = 0.0
    becomes_ready: bool = True
    serves_metrics: bool = True
    drains: bool = True
    pull: PullFailure | None = None


Rule = Callable[[Behaviour, re.Match[str]], Behaviour]

_AFTER = r"(?:-after-(?P<after>\d+(?:\.\d+)?)s)?"


def _after(match: re.Match[str]) -> float:
    return float(match["after"] or 0.0)


def _errors(old: Behaviour, match: re.Match[str]) -> Behaviour:
    return replace(old, error_ratio=float(match["pct"]) / 100, errors_after_s=_after(match))


def _slow(old: Behaviour, match: re.Match[str]) -> Behaviour:
    seconds = float(match["ms"] or 5500) / 1000
    return replace(old, slow_s=seconds, slow_ratio=float(match["pct"] or 20) / 100, slow_after_s=_after(match))


def _crash(old: Behaviour, match: re.Match[str]) -> Behaviour:
    return replace(old, crash_after_s=_after(match) or 0.5)


def _leak(old: Behaviour, match: re.Match[str]) -> Behaviour:
    return replace(old, leak_bytes_per_s=float(match["mib"] or 2) * MIB, leak_after_s=_after(match))


def _db_errors(old: Behaviour, match: re.Match[str]) -> Behaviour:
    return replace(old, db_errors_per_min=float(match["per_min"]), db_errors_after_s=_after(match))


def _pull(failure: PullFailure) -> Rule:
    return lambda old, _match: replace(old, pull=failure)


# Tried in this order at each place of the tag; the first that matches a whole run of words applies.
TABLE: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(rf"(?:{pattern})(?=-|$)"), rule)
    for pattern, rule in (
        (r"errors-(?P<pct>\d+(?:\.\d+)?)pct" + _AFTER, _errors),
        (r"slow(?:-(?P<ms>\d+)ms)?(?:-(?P<pct>\d+(?:\.\d+)?)pct)?" + _AFTER, _slow),
        (r"crash" + _AFTER, _crash),
        (r"leak(?:-(?P<mib>\d+)mib)?" + _AFTER, _leak),
        (r"dberrors-(?P<per_min>\d+(?:\.\d+)?)permin" + _AFTER, _db_errors),
        (r"noready", lambda old, _match: replace(old, becomes_ready=False)),
        (r"silent", lambda old, _match: replace(old, serves_metrics=False)),
        (r"nodrain", lambda old, _match: replace(old, drains=False)),
        (r"nopull|missing", _pull("not-found")),
        (r"unauthorized-pull", _pull("unauthorized")),
        (r"pull-429", _pull("too-many-requests")),
        (r"pull-5xx", _pull("server-error")),
        (r"pull-timeout", _pull("timeout")),
        (r"invalid-name", _pull("invalid-name")),
        (r"noerrors", lambda old, _match: replace(old, error_ratio=0.0)),
        (r"callee-dependent", lambda old, _match: old),
        (r"v?\d+(?:\.\d+)*|[0-9a-f]{7,64}|latest|stable|healthy|hotfix|fix|rc\d*", lambda old, _match: old),
    )
)

EXAMPLES: tuple[tuple[str, str], ...] = (
    ("v1", "healthy: 20-50 ms, 0.2% errors"),
    ("v2-errors-15pct", "15% of the answers are 500"),
    ("v2-errors-15pct-after-60s", "the same, a minute after the start; other faults take -after-Ns too"),
    ("v3-slow-5500ms-20pct", "a fifth of the answers take 5.5 s"),
    ("v4-crash", "exits with 1 half a second after its start; crash-after-30s later"),
    ("v5-leak-10mib", "memory grows by 10 MiB a second, until its limit ends it"),
    ("v2-dberrors-30permin", "30 failed database connections a minute"),
    ("v2-noready", "runs, but never becomes ready"),
    ("v2-silent", "ready, without metrics"),
    ("v2-nodrain", "drops its connections at SIGTERM"),
    ("v2-missing", "the registry does not have it"),
    ("v2-unauthorized-pull", "the registry refuses it: 401; also pull-429, pull-5xx, pull-timeout, invalid-name"),
    ("v2-noerrors", "healthy, without the 0.2% of errors"),
)
"""Tags and what they do, for those who break things by hand. An app with the environment variable BACKEND calls that
Service for each request and fails when it does."""


def parse_image(image: str) -> Behaviour:
    """The behaviour of an image such as `registry.lab/backend:v2-errors-15pct`. No tag means `latest`."""
    name, _, _digest = image.partition("@")
    return parse_tag(name.rpartition(":")[2] if ":" in name.rpartition("/")[2] else "latest")


def parse_tag(tag: str) -> Behaviour:
    """The behaviour that a tag names; words that nothing knows make the pull fail as `not-found`."""
    behaviour = Behaviour()
    position = 0
    while position < len(tag):
        for pattern, rule in TABLE:
            match = pattern.match(tag, position)
            if match:
                behaviour = rule(behaviour, match)
                position = match.end() + 1
                break
        else:
            return Behaviour(pull="not-found")
    return behaviour

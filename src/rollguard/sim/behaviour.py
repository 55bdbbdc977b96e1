"""What an image does, named by its tag in the same words as in the lab: `v2-errors-15pct-after-60s`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Durations in seconds since the container's start, ratios of requests."""

    error_ratio: float = 0.002
    errors_after: float = 0.0
    slow_ratio: float = 0.0
    slow_seconds: float = 5.5
    slow_after: float = 0.0
    crash_after: float | None = None
    db_errors_per_min: float = 0.0
    db_errors_after: float = 0.0
    becomes_ready: bool = True
    serves_metrics: bool = True
    pull: str = ""
    """The kubelet's reason and message when the pull fails, as `PULL_FAILURES` has them; else empty."""


_RESOLVE = 'failed to pull and unpack image "IMAGE": failed to resolve reference "IMAGE": '
PULL_FAILURES = {
    "not-found": ("ErrImagePull", f"rpc error: code = NotFound desc = {_RESOLVE}manifest unknown: IMAGE: not found"),
    "unauthorized": (
        "ErrImagePull",
        f"rpc error: code = Unknown desc = {_RESOLVE}pull access denied, repository does not exist or may require "
        "authorization: authorization failed: unexpected status: 401 Unauthorized",
    ),
    "too-many-requests": (
        "ErrImagePull",
        f"rpc error: code = Unknown desc = {_RESOLVE}unexpected status: 429 Too Many Requests: toomanyrequests: "
        "You have reached your pull rate limit.",
    ),
    "server-error": (
        "ErrImagePull",
        f"rpc error: code = Unknown desc = {_RESOLVE}unexpected status: 503 Service Unavailable",
    ),
    "timeout": (
        "ErrImagePull",
        f"rpc error: code = DeadlineExceeded desc = {_RESOLVE}dial tcp 192.0.2.1:443: i/o timeout",
    ),
    "invalid-name": (
        "InvalidImageName",
        'Failed to apply default image tag "IMAGE": couldn\'t parse image name "IMAGE": invalid reference format',
    ),
}
_AFTER = r"(?:-after-(?P<after>\d+(?:\.\d+)?)s)?"
_WORDS = re.compile(
    rf"(?:errors-(?P<errors>\d+(?:\.\d+)?)pct{_AFTER}"
    rf"|(?P<slow>slow)(?:-(?P<ms>\d+)ms)?(?:-(?P<slow_pct>\d+(?:\.\d+)?)pct)?{_AFTER.replace('after>', 'slow_after>')}"
    rf"|(?P<crash>crash){_AFTER.replace('after>', 'crash_after>')}"
    rf"|dberrors-(?P<db>\d+(?:\.\d+)?)permin{_AFTER.replace('after>', 'db_after>')}"
    r"|(?P<noready>noready)|(?P<silent>silent)|(?P<noerrors>noerrors)"
    r"|(?P<pull>nopull|missing|unauthorized-pull|pull-429|pull-5xx|pull-timeout|invalid-name)"
    r"|v?\d+(?:\.\d+)*|[0-9a-f]{7,64}|latest|stable|healthy|hotfix|fix|nodrain|rc\d*)(?:-|$)"
)
_PULLS = {
    "nopull": "not-found",
    "missing": "not-found",
    "unauthorized-pull": "unauthorized",
    "pull-429": "too-many-requests",
    "pull-5xx": "server-error",
    "pull-timeout": "timeout",
    "invalid-name": "invalid-name",
}


@lru_cache(maxsize=1024)
def of_image(image: str) -> Behaviour:
    """The behaviour of an image such as `registry.lab/backend:v2-slow`; an unknown word makes its pull fail."""
    tag = image.partition("@")[0].rpartition(":")[2] if ":" in image.rpartition("/")[2] else "latest"
    behaviour, position = Behaviour(), 0
    while position < len(tag):
        match = _WORDS.match(tag, position)
        if match is None:
            return Behaviour(pull="not-found")
        behaviour = _with(behaviour, match)
        position = match.end()
    return behaviour


def _with(behaviour: Behaviour, word: re.Match[str]) -> Behaviour:
    if word["errors"]:
        return replace(behaviour, error_ratio=float(word["errors"]) / 100, errors_after=float(word["after"] or 0))
    if word["slow"]:
        return replace(
            behaviour,
            slow_ratio=float(word["slow_pct"] or 20) / 100,
            slow_seconds=float(word["ms"] or 5500) / 1000,
            slow_after=float(word["slow_after"] or 0),
        )
    if word["crash"]:
        return replace(behaviour, crash_after=float(word["crash_after"] or 0.5))
    if word["db"]:
        return replace(behaviour, db_errors_per_min=float(word["db"]), db_errors_after=float(word["db_after"] or 0))
    if word["noready"]:
        return replace(behaviour, becomes_ready=False)
    if word["silent"]:
        return replace(behaviour, serves_metrics=False)
    if word["noerrors"]:
        return replace(behaviour, error_ratio=0.0)
    if word["pull"]:
        return replace(behaviour, pull=_PULLS[word["pull"]])
    return behaviour

"""What the kubelet says when an image cannot be pulled. `IMAGE` stands for the image's name."""

from __future__ import annotations

from lab.kubelet.behaviour import PullFailure

_RESOLVE = 'failed to pull and unpack image "IMAGE": failed to resolve reference "IMAGE": '

PULL_FAILURES: dict[PullFailure, tuple[str, str]] = {
    "not-found": (
        "ErrImagePull",
        f"rpc error: code = NotFound desc = {_RESOLVE}manifest unknown: IMAGE: not found",
    ),
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

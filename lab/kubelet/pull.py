"""Pulling images: what the node has, what the registry refuses, and how the kubelet says so."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from lab.kubelet.backoff import Backoff
from lab.kubelet.behaviour import PullFailure
from lab.kubelet.runtime import Runtime, digest

_PULL_S = (0.1, 0.3)
_SHOWN_S = 2.0

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
"""Reason and message by failure; `IMAGE` stands for the image's name."""


class Puller:
    """Pulls one container's image, again and again where it fails."""

    def __init__(
        self,
        runtime: Runtime,
        image: str,
        rng: random.Random,
        *,
        failure: Callable[[], PullFailure | None],
        event: Callable[[str, str, str], None],
        wait: Callable[[str, str], None],
        retag: Callable[[], str],
    ) -> None:
        self._runtime = runtime
        self._image = image
        self._random = rng
        self._failure = failure
        self._event = event
        self._wait = wait
        self._retag = retag

    async def pull(self, always: bool) -> str:
        """The digest of the image, once it is there; one that the node has is pulled again only if `always`."""
        images = self._runtime.images
        if not always and self._image in images:
            return images[self._image]
        backoff = Backoff(self._runtime.settings.backoff, immediate_first=False)
        while not await self._try():
            await self._show_failure(backoff.failed(0.0))
        images[self._image] = digest(self._image, self._retag())
        self._event("Normal", "Pulled", f'Successfully pulled image "{self._image}"')
        return images[self._image]

    async def _try(self) -> bool:
        self._event("Normal", "Pulling", f'Pulling image "{self._image}"')
        await asyncio.sleep(self._random.uniform(*_PULL_S))
        return self._failure() is None

    async def _show_failure(self, wait_s: float) -> None:
        failure = self._failure()
        if failure is None:
            return
        reason, message = PULL_FAILURES[failure]
        cause = message.replace("IMAGE", self._image)
        self._event("Warning", "Failed", f'Failed to pull image "{self._image}": {cause}')
        self._event("Warning", "Failed", f"Error: {reason}")
        self._wait(reason, cause)
        shown_s = min(_SHOWN_S, wait_s / 4)
        await asyncio.sleep(shown_s)
        if reason == "ErrImagePull":
            self._event("Normal", "BackOff", f'Back-off pulling image "{self._image}"')
            self._event("Warning", "Failed", "Error: ImagePullBackOff")
            self._wait("ImagePullBackOff", f'Back-off pulling image "{self._image}": {reason}: {cause}')
        await asyncio.sleep(wait_s - shown_s)

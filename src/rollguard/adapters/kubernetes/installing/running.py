"""Whether the installed guard runs: its Deployment's rollout, and what keeps its pods from starting."""

from __future__ import annotations

import msgspec

from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.installing import kinds
from rollguard.adapters.kubernetes.installing.install import NOT_FOUND, POLL_S, InstallError
from rollguard.adapters.kubernetes.objects.wire import Deployment, Page, Pod
from rollguard.ports import Clock


async def until_running(api: Api, clock: Clock, *, namespace: str, name: str, selector: str, within: float) -> int:
    """Returns how many replicas are available when all are, of the newest template. Raises InstallError after
    `within` seconds, with the pods' own reasons, and NoAnswer for an unreachable server."""
    deadline = clock.mono().plus(within)
    asked = kinds.right("Deployment", "get")
    while True:
        reply = await api.send(asked, namespace, name)
        if not reply.ok:
            raise InstallError(f"Deployment {name} in {namespace}: {reply.message()}")
        found = msgspec.json.decode(reply.body, type=Deployment)
        status, wanted = found.status, found.spec.replicas
        counts = {status.replicas, status.updated_replicas, status.available_replicas}
        if status.observed_generation >= found.metadata.generation and counts == {wanted}:
            return wanted
        if clock.mono() > deadline:
            reasons = "\n".join(await reasons_of(api, namespace, selector)) or "no pod of it exists"
            raise InstallError(
                f"Deployment {name} in {namespace}: {status.available_replicas} of {wanted} replicas are available"
                f" after {within:g} s:\n{reasons}"
            )
        await clock.sleep_until(clock.mono().plus(POLL_S * 5))


async def reasons_of(api: Api, namespace: str, selector: str) -> list[str]:
    """A line for each pod: what its containers wait for, or how they ended."""
    pods = await pods_of(api, namespace, selector)
    if isinstance(pods, str):
        return [f"the pods cannot be listed: {pods}"]
    return [f"  pod {pod.metadata.name}: {_state(pod)}" for pod in pods]


async def pods_of(api: Api, namespace: str, selector: str) -> tuple[Pod, ...] | str:
    """The pods, or the server's refusal in its own words."""
    reply = await api.send(kinds.right("Pod", "list"), namespace, params={"labelSelector": selector})
    if not reply.ok and reply.status != NOT_FOUND:
        return reply.message()
    items = msgspec.json.decode(reply.body, type=Page).items or [] if reply.ok else []
    return tuple(msgspec.json.decode(each, type=Pod) for each in items)


def _state(pod: Pod) -> str:
    for each in pod.status.container_statuses or ():
        waiting, ended = each.state.waiting, each.state.terminated or each.last_state.terminated
        if waiting is not None:
            text = f"{waiting.reason} {waiting.message}".strip()
            return f"{text} (last exit code {ended.exit_code})" if ended is not None else text
        if not each.ready:
            return "runs, and its readiness probe fails"
    for condition in pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status != "True":
            return f"{condition.reason}: {condition.message}"
    return pod.status.phase or "not started yet"

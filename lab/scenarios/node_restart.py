"""A node restarts old and new pods in the middle of a rollout: held and paged, for the node is to blame."""

from typing import Any

from lab.scenarios.stage import GUARD_S, Stage
from lab.scenarios.words import tag_of

NAME = "lip-sync"
SLOW = "v2-noready"


async def play(stage: Stage) -> None:
    """The new pods are not ready yet, so that old ones run beside them on the same node."""
    await stage.guarded(NAME, replicas=4)
    await stage.release(NAME, SLOW)
    await stage.until_rollout(NAME)
    node = await _node_of_both(stage)
    for times in (1, 2):
        stage.tell(f"{node} restarts all containers")
        await stage.lab.restart_containers(stage.namespace, node)
        await _until_exits(stage, node, times)
    rollout = await stage.expect_held(NAME, SLOW)
    stage.expect("restart too" in rollout["why"], f"the reason: {rollout['why']}")


async def _node_of_both(stage: Stage) -> str:
    """A node that runs a new container beside an old one."""
    found: list[str] = []

    async def both() -> bool:
        by_node: dict[str, set[str]] = {}
        for pod in await stage.pods(NAME):
            if any("running" in status["state"] for status in pod["status"].get("containerStatuses", ())):
                by_node.setdefault(pod["spec"]["nodeName"], set()).add(tag_of(pod))
        found[:] = sorted(node for node, tags in by_node.items() if tags == {"v1", SLOW})
        return bool(found)

    await stage.until(both, what="a node with old and new pods")
    return found[0]


async def _until_exits(stage: Stage, node: str, times: int) -> None:
    """Every container on the node has ended that often, and the new ones run again (after the first time)."""

    async def ended() -> bool:
        pods = [pod for pod in await stage.pods(NAME) if pod["spec"]["nodeName"] == node]
        return all(_exits(pod) >= times and (times > 1 or _runs(pod)) for pod in pods)

    await stage.until(ended, what=f"{times} exits of each container on {node}", timeout_s=GUARD_S)


def _exits(pod: Any) -> int:
    status = pod["status"]["containerStatuses"][0]
    return int(status["restartCount"]) + ("running" not in status["state"])


def _runs(pod: Any) -> bool:
    return "running" in pod["status"]["containerStatuses"][0]["state"]

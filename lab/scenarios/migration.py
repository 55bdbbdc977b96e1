"""A migration that the old version has served on does not keep it from coming back; one after its end holds."""

from typing import Any

from lab import manifests
from lab.scenarios.stage import Stage

SERVICE = "translation"
POLICY: dict[str, Any] = {"migration": {"pattern": "prisma-migrate-*"}}


async def play(stage: Stage) -> None:
    """Old pods beside the new ones prove the first migration harmless; none is left to prove the second."""
    await stage.guarded(SERVICE, **POLICY)
    await stage.migrate("prisma-migrate-1")
    await stage.release(SERVICE, "v2-crash")
    rollout = await stage.until_rollout(SERVICE, "closed")
    stage.expect_equal(rollout["outcome"], "recovered", "the rollout is closed")
    await stage.expect_running(SERVICE, "v1")

    await stage.release(SERVICE, "v3-errors-30pct-after-8s")
    await stage.lab.until_rolled_out(stage.namespace, SERVICE)
    await stage.until_gone(SERVICE, "v1")
    await _by_hand(stage, "prisma-migrate-2")
    held = await stage.expect_held(SERVICE, "v3-errors-30pct-after-8s", nth=2)
    stage.expect("the migration Pod prisma-migrate-2 ended at" in held["why"], "the deleted pod is the reason")


async def _by_hand(stage: Stage, name: str) -> None:
    """Runs a bare pod to its end and deletes it: nothing in the cluster tells of it any more."""
    await stage.kubectl("run", name, f"--image={manifests.image('migrate', 'v1')}", "--restart=Never")
    await stage.kubectl("wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s")
    await stage.kubectl("delete", "pod", name, "--grace-period=0")

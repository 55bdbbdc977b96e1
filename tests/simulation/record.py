"""Plays stories in the lab and records what the API server showed: `python -m tests.simulation.record STORY...`.

Writes tests/simulation/traces/STORY.json, one for each story, for the simulator to be compared with. Needs the lab.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any

from lab import programs
from lab.mirror import Mirror
from lab.scenarios import Stage, play_on
from lab.scenarios.stage import GROUP
from lab.scenarios.words import tag_of
from lab.world import Lab, LabSettings
from tests.simulation.traces import RECORDED, Passed, Seen, Trace

REVISION = "deployment.kubernetes.io/revision"
RECEIPT = "rollguard.dev/step"
STORIES = ("errors", "healthy", "re-applied", "bad-to-bad")


class Recorder:
    """Follows the Deployments and GuardedRollouts of one namespace; stories of one workload only."""

    def __init__(self, story: str) -> None:
        self.trace = Trace(story=story, replicas=0)
        self._passed: dict[str, Passed] = {}

    def deployment(self, change: str, item: Any) -> None:
        """One write of a Deployment."""
        if change == "DELETED":
            return
        spec, status, metadata = item["spec"], item.get("status", {}), item["metadata"]
        notes = metadata.get("annotations", {})
        wanted = spec["replicas"]
        counts = {status.get(key, 0) for key in ("updatedReplicas", "availableReplicas", "replicas")}
        observed = status.get("observedGeneration", 0)
        seen = Seen(metadata["generation"], observed, int(notes.get(REVISION, "0")), tag_of(spec["template"]))
        complete = wanted if counts == {wanted} and observed == seen.generation else None
        self.trace.replicas = wanted
        self.trace.see(seen, receipt=notes.get(RECEIPT, ""), complete=complete)

    def rollout(self, change: str, item: Any) -> None:
        """One write of a GuardedRollout."""
        status = item.get("status")
        if change == "DELETED" or not status:
            return
        name = item["metadata"]["name"]
        passed = self._passed.get(name)
        if passed is None:
            passed = self._passed[name] = Passed(revision=status["targetNumber"])
            self.trace.rollouts.append(passed)
        if passed.states[-1:] != [status["state"]]:
            passed.states.append(status["state"])
        passed.verdict, passed.outcome = status.get("verdict", ""), status.get("outcome", "")
        plan = status.get("plan")
        passed.restored = plan["target"]["number"] if plan else None


async def record(lab: Lab, account: Any, story: str) -> None:
    """Plays one story in a namespace of its own and writes its trace."""
    recorder = Recorder(story)
    stage = Stage(lab=lab, account=account, namespace=story, say=partial(print, f"{story}:", flush=True))
    await lab.namespace(story)
    mirrors = {
        Mirror(lab.api, f"/apis/apps/v1/namespaces/{story}/deployments"): recorder.deployment,
        Mirror(lab.api, f"{GROUP}/namespaces/{story}/guardedrollouts"): recorder.rollout,
    }
    for mirror, listener in mirrors.items():
        mirror.subscribe(listener)
    tasks = [asyncio.create_task(mirror.run()) for mirror in mirrors]
    try:
        await play_on(stage, story)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{story}.json").write_text(recorder.trace.text())


async def record_all(stories: list[str]) -> None:
    """Plays the stories one after another in one lab."""
    async with Lab.up(LabSettings(say=partial(print, flush=True))) as lab:
        account = await lab.install()
        for story in stories:
            await record(lab, account, story)


def main(arguments: list[str]) -> int:
    """0 where all stories were recorded, 2 for a wrong command line; raises where a story went wrong."""
    unknown = [name for name in arguments if name not in STORIES]
    if unknown:
        print(f"no such story: {', '.join(unknown)}; there are {', '.join(STORIES)}", file=sys.stderr)
        return 2
    programs.require()
    asyncio.run(record_all(arguments or list(STORIES)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

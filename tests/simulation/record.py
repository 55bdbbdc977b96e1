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
from lab.platform import KEY, SERVICES
from lab.scenarios import Stage, play_on
from lab.scenarios.stage import GROUP
from lab.scenarios.words import tag_of
from lab.world import Lab, LabSettings
from tests.simulation.set_traces import RECORDED as SETS_RECORDED
from tests.simulation.set_traces import SetTrace
from tests.simulation.traces import RECORDED, Passed, Seen, Trace

REVISION = "deployment.kubernetes.io/revision"
RECEIPT = "rollguard.dev/step"
STORIES = ("errors", "healthy", "re-applied", "bad-to-bad")
SET_STORIES = ("set-errors",)


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


class SetRecorder:
    """Follows the objects of one release set, and its rollout."""

    def __init__(self, story: str) -> None:
        self.trace = SetTrace(story=story)

    def service(self, change: str, item: Any) -> None:
        """One write of a Service."""
        colour = item["spec"]["selector"].get(KEY)
        if change != "DELETED" and colour:
            receipt = item["metadata"].get("annotations", {}).get(RECEIPT, "")
            self.trace.select(item["metadata"]["name"], colour, receipt)

    def endpoints(self, change: str, item: Any) -> None:
        """One write of an EndpointSlice: each Service here has one."""
        service = item["metadata"]["labels"]["kubernetes.io/service-name"]
        if change != "DELETED" and service in SERVICES.values():
            ready = [each for each in item.get("endpoints") or () if each["conditions"].get("ready")]
            self.trace.serve(service, (each["targetRef"]["name"] for each in ready))

    def deployment(self, change: str, item: Any) -> None:
        """One write of a Deployment."""
        if change != "DELETED" and KEY in item["metadata"]["labels"]:
            self.trace.scale(item["metadata"]["name"], item["spec"]["replicas"])

    def rollout(self, change: str, item: Any) -> None:
        """One write of a GuardedRollout."""
        status = item.get("status")
        if change == "DELETED" or not status or not status.get("passages"):
            return
        steps = (status.get("plan") or {}).get("steps", ())
        self.trace.follow(
            status["state"],
            status.get("outcome", ""),
            [f"{p['member']} {p['old']['colour']} to {p['new']['colour']}" for p in status["passages"]],
            [f"{step['kind']} {step['target']['name']} {step.get('state', 'pending')}" for step in steps],
        )


async def record(lab: Lab, account: Any, story: str) -> None:
    """Plays one story in a namespace of its own and writes its trace."""
    stage = Stage(lab=lab, account=account, namespace=story, say=partial(print, f"{story}:", flush=True))
    await lab.namespace(story)
    recorder: Recorder | SetRecorder = SetRecorder(story) if story in SET_STORIES else Recorder(story)
    mirrors = {
        Mirror(lab.api, f"/apis/apps/v1/namespaces/{story}/deployments"): recorder.deployment,
        Mirror(lab.api, f"{GROUP}/namespaces/{story}/guardedrollouts"): recorder.rollout,
    }
    if isinstance(recorder, SetRecorder):
        mirrors |= {
            Mirror(lab.api, f"/api/v1/namespaces/{story}/services"): recorder.service,
            Mirror(lab.api, f"/apis/discovery.k8s.io/v1/namespaces/{story}/endpointslices"): recorder.endpoints,
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
    file = (SETS_RECORDED if story in SET_STORIES else RECORDED) / f"{story}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(recorder.trace.text())


async def record_all(stories: list[str]) -> None:
    """Plays the stories one after another in one lab."""
    async with Lab.up(LabSettings(say=partial(print, flush=True))) as lab:
        account = await lab.install()
        for story in stories:
            await record(lab, account, story)


def main(arguments: list[str]) -> int:
    """0 where all stories were recorded, 2 for a wrong command line; raises where a story went wrong."""
    known = (*STORIES, *SET_STORIES)
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"no such story: {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    programs.require()
    asyncio.run(record_all(arguments or list(known)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a story has at hand: the lab, a guard of its own, a voice with a clock, and eyes on the cluster's objects."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lab import manifests, policies, programs
from lab.controller import Controller
from lab.mirror import Mirror
from lab.parts import REPOSITORY
from lab.platform import Platform
from lab.scenarios import words
from lab.world import Lab, LabError

LOOK_EVERY_S = 0.5
GUARD_S = 120.0
ENDING_S = 120.0
KNOWN_S = policies.WINDOW_S + 4
"""One a second: a release is compared with the time before where that is known for half a window at least."""
ROLLGUARD = Path(sys.executable).with_name("rollguard")
GROUP = "/apis/rollguard.dev/v1alpha1"


class ScenarioError(Exception):
    """The lab did something else than the story says."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """The lab of one story, in a namespace of its own. Times are seconds since the story's start."""

    lab: Lab
    account: Path
    """Kubeconfig of the ServiceAccount that the guard runs under."""
    namespace: str = "production"
    say: Callable[[str], None] = print
    started: float = field(default_factory=time.monotonic)
    guards: list[Controller] = field(default_factory=list)
    flags: tuple[str, ...] = ()
    """More of them for each controller that it starts."""
    _told: dict[str, int] = field(default_factory=dict)
    _last: dict[str, str] = field(default_factory=dict)

    # --- the voice ---

    def tell(self, text: str) -> None:
        """Says one line with the story's time in front."""
        self.say(f"{time.monotonic() - self.started:7.1f} s  {text}")

    def expect(self, holds: bool, text: str) -> None:
        """Raises ScenarioError with the text unless the condition holds."""
        if not holds:
            raise ScenarioError(f"not so: {text}")
        self.tell(f"as expected: {text}")

    def expect_equal(self, found: object, wanted: object, what: str) -> None:
        """Raises ScenarioError with both unless they are equal."""
        if found != wanted:
            raise ScenarioError(f"{what}: expected {wanted!r}, found {found!r}")
        self.tell(f"as expected: {what}: {found}")

    # --- the cast ---

    @property
    def guard_namespace(self) -> str:
        """Where this story's guard has its Lease, so that stories beside it do not share one."""
        return f"{self.namespace}-guard"

    async def guarded(
        self, *names: str, tag: str = "v1", replicas: int = 2, rps: float = 30, **options: Any
    ) -> Controller:
        """Runs a version of these services under a guard; returns it when it has adopted them all.

        `options` are those of `guard`.
        """
        for name in names:
            await self.lab.deploy(self.namespace, name, tag=tag, replicas=replicas, rps=rps)
        # A guard that came earlier would take their first rollout under guard.
        for name in names:
            await self.lab.until_rolled_out(self.namespace, name)
        guard = await self.guard(names, **options)
        for name in names:
            await self.until_adopted(name)
            if rps > 0:
                await self.until_known(name)
        return guard

    async def guard(self, names: Sequence[str], **options: Any) -> Controller:
        """Starts a controller on a policy for these workloads; `options` as in policies.policy."""
        await self.lab.namespace(self.namespace)
        await self.lab.namespace(self.guard_namespace)
        policy = self.policy(names, **options)
        await self.lab.grant(policy, namespace=self.guard_namespace)
        return self.start_guard(policy)

    def policy(self, names: Sequence[str], **options: Any) -> Path:
        """Writes the file of a policy for these workloads; `options` as in policies.policy."""
        document = policies.policy(
            namespace=self.namespace, prometheus=self.lab.prometheus.url, workloads=names, **options
        )
        return policies.write(self.lab.workdir / f"{self.namespace}-policy.json", document)

    def start_guard(self, policy: Path | str) -> Controller:
        """Starts a controller on a policy's file, or its object `NAMESPACE/NAME`."""
        guard = self.lab.controller(
            policy,
            kubeconfig=self.account,
            name=f"controller-{self.namespace}",
            namespace=self.guard_namespace,
            extra=self.flags,
        )
        self.guards.append(guard)
        return guard

    async def until_adopted(self, name: str) -> None:
        """Returns when the guard holds what runs now to be good (and keeps its template)."""

        async def adopted() -> bool:
            unit = await self.unit(name)
            return bool(unit) and bool(unit.get("status", {}).get("adopted", {}).get("saved"))

        await self.until(adopted, what=f"the adoption of {name}", timeout_s=GUARD_S)
        self.tell(f"{name}: adopted")

    async def until_known(self, name: str, *, seconds: int = KNOWN_S) -> None:
        """Returns when the metrics store has followed each pod's requests so long: the time before, to compare with."""
        series = f'http_requests_total{{namespace="{self.namespace}",deployment="{name}",status="200"}}'
        wanted: int = (await self.lab.deployment(self.namespace, name))["spec"]["replicas"]
        found: dict[str, float] = {}

        async def known() -> bool:
            found.clear()
            found.update(await self.lab.prometheus.query(f"count_over_time({series}[10m])"))
            return sum(count >= seconds for count in found.values()) >= wanted

        await self.until(known, what=f"the time before of {name}", timeout_s=seconds + GUARD_S, seen=lambda: found)

    async def release(self, name: str, tag: str) -> None:
        """Sets the image of a Deployment, as `kubectl set image` does."""
        self.tell(f"releasing {name}:{tag}")
        await self.lab.release(self.namespace, name, tag)

    async def migrate(self, name: str, *, tag: str = "v1") -> None:
        """Runs a migration Job to its end, good or bad as its image's tag says."""
        base = f"/apis/batch/v1/namespaces/{self.namespace}/jobs"
        await self.lab.api.create(base, manifests.job(name, tag=tag))
        ended: list[str] = []

        async def over() -> bool:
            conditions = (await self.lab.api.get(f"{base}/{name}"))["status"].get("conditions") or ()
            ended[:] = [each["type"] for each in conditions if each["status"] == "True"]
            return bool({"Complete", "Failed"} & {*ended})

        await self.until(over, what=f"the end of the Job {name}", timeout_s=GUARD_S, seen=lambda: ended)
        self.tell(f"Job {name}: {', '.join(ended)}")

    # --- as a user does ---

    async def kubectl(self, *arguments: str) -> str:
        """What kubectl prints, as the administrator in the story's namespace."""
        program = programs.require(["kubectl"])["kubectl"]
        self.tell(f"$ kubectl {' '.join(arguments)}")
        return await self._run(str(program), "--kubeconfig", str(self.lab.kubeconfig), "-n", self.namespace, *arguments)

    async def rollguard(self, *arguments: str, code: int = 0, notes: bool = False) -> str:
        """What the command line prints (and its errors and warnings: with `notes`, or where it ends with another code
        than 0), as the administrator.

        Raises ScenarioError where it ends with another code than the expected one.
        """
        self.tell(f"$ rollguard {' '.join(arguments)}")
        return await self._run(str(ROLLGUARD), *arguments, *self._where(), code=code, notes=notes)

    async def rollback_script(self, *arguments: str) -> str:
        """What the operators' script `rollback.sh` prints, as the administrator, as in a pod of the guard."""
        script = REPOSITORY / "scripts" / "rollback.sh"
        self.tell(f"$ /scripts/{script.name} {' '.join(arguments)}")
        own = {"POD_NAMESPACE": self.guard_namespace}
        return await self._run(str(script), *arguments, "--kubeconfig", str(self.lab.kubeconfig), env=own)

    def _where(self) -> tuple[str, ...]:
        return ("--kubeconfig", str(self.lab.kubeconfig), "--guard-namespace", self.guard_namespace)

    async def _run(
        self, *command: str, code: int = 0, notes: bool = False, env: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PATH": f"{ROLLGUARD.parent}{os.pathsep}{os.environ['PATH']}", **env},
        )
        output, errors = await process.communicate()
        if process.returncode != code:
            said = f"{errors.decode().strip()}\n{output.decode()}"
            raise ScenarioError(f"{' '.join(command)} ended with {process.returncode}, not {code}: {said}")
        return output.decode() + (errors.decode() if code or notes else "")

    # --- the state of the world ---

    async def until(
        self,
        probe: Callable[[], Awaitable[bool]],
        *,
        what: str,
        timeout_s: float = ENDING_S,
        seen: Callable[[], object] = lambda: "nothing",
    ) -> None:
        """As Lab.until; also fails as soon as a guard of the story has ended by itself."""

        async def watched() -> bool:
            for guard in self.guards:
                if not guard.child.running():
                    raise ScenarioError(f"{guard.name} has ended:\n{guard.child.tail()}")
            return await probe()

        try:
            await self.lab.until(watched, what=what, timeout_s=timeout_s, seen=seen)
        except LabError as error:
            raise ScenarioError(str(error)) from None

    async def unit(self, name: str) -> Any:
        """The GuardedUnit of a Deployment; None while there is none."""
        return await self.lab.api.find(f"{GROUP}/namespaces/{self.namespace}/guardedunits/deployment-{name}")

    async def rollouts(self, name: str) -> list[Any]:
        """The status of each GuardedRollout of a Deployment with its `name`, oldest first."""
        items = await self.lab.api.list(f"{GROUP}/namespaces/{self.namespace}/guardedrollouts")
        mine = [{**item["status"], "name": item["metadata"]["name"]} for item in items if item.get("status")]
        return sorted((r for r in mine if r["workload"]["name"] == name), key=lambda r: str(r["started"]))

    async def until_rollout(self, name: str, *states: str, nth: int = 1, timeout_s: float = ENDING_S) -> Any:
        """The n-th GuardedRollout of a Deployment, once it is in one of these states.

        A hold for blindness passes as soon as the store answers again: no story ends with it.
        """
        found: list[Any] = []

        async def there() -> bool:
            found[:] = await self.rollouts(name)
            if len(found) < nth:
                return False
            state, verdict = found[nth - 1]["state"], found[nth - 1]["verdict"]
            return not states or (state in states and (state, verdict) != ("held", "blind"))

        await self.until(
            there,
            what=f"rollout {nth} of {name} {' or '.join(states)}",
            timeout_s=timeout_s,
            seen=lambda: [words.of_rollout(each) for each in found],
        )
        return found[nth - 1]

    async def until_told(self, name: str, *words: str, nth: int = 1) -> Any:
        """The n-th GuardedRollout of a workload, once a notice of it says all these words."""
        found: list[Any] = []

        async def told() -> bool:
            found[:] = [await self.until_rollout(name, nth=nth)]
            texts = [f"{notice['title']}: {notice['text']}" for notice in found[0]["notices"]]
            return any(all(word in text for word in words) for text in texts)

        await self.until(
            told, what=f"a notice of {name} with {words}", seen=lambda: [n["text"] for n in found[0]["notices"]]
        )
        return found[0]

    async def until_undone(self, name: str, *, nth: int = 1, tag: str = "v1") -> Any:
        """The n-th GuardedRollout, once it is closed; raises unless it was undone, has recovered, and `tag` runs."""
        rollout = await self.until_rollout(name, "closed", "held", nth=nth)
        self.expect_equal(rollout.get("outcome", rollout["state"]), "recovered", f"the rollout of {name} is closed")
        self.expect_equal(rollout["plan"]["actor"], "rollguard", "who undid it")
        await self.expect_running(name, tag)
        return rollout

    async def expect_running(self, name: str, tag: str) -> None:
        """Template, ReplicaSets and pods are all of that version, and only of it, and available."""
        await self.lab.until_rolled_out(self.namespace, name, timeout_s=ENDING_S)
        self.expect_equal(await self.tag(name), tag, f"the version that {name} asks for")
        sets = [item for item in await self.replica_sets(name) if item["spec"]["replicas"]]
        self.expect_equal([words.tag_of(item["spec"]["template"]) for item in sets], [tag], "ReplicaSets with replicas")
        pods = await self.pods(name)
        self.expect_equal({words.tag_of(pod) for pod in pods}, {tag}, "versions of its pods")

    async def expect_held(self, name: str, tag: str, *, nth: int = 1) -> Any:
        """The n-th GuardedRollout, once it is held; raises unless people were paged and the new version stays."""
        rollout = await self.until_rollout(name, "held", "closed", nth=nth)
        self.expect_equal(rollout["state"], "held", "state of the rollout")
        pages = [notice for notice in rollout["notices"] if notice["class"] == "page" and notice["topic"] == "hold"]
        self.expect_equal(len(pages), 1, "pages about the hold")
        self.tell(f"paged: {pages[0]['title']}: {rollout['why']}")
        self.expect("plan" not in rollout, "no plan was made")
        self.expect_equal(await self.tag(name), tag, f"the version that {name} asks for")
        return rollout

    async def until_gone(self, name: str, tag: str) -> None:
        """Returns when no pod of that version is left, not even one that is ending."""

        async def gone() -> bool:
            path = f"/api/v1/namespaces/{self.namespace}/pods"
            found = await self.lab.api.list(path, labelSelector=f"app={name}")
            return all(words.tag_of(pod) != tag for pod in found)

        await self.until(gone, what=f"the end of {name}:{tag}", timeout_s=GUARD_S)

    async def tag(self, name: str) -> str:
        """The image tag that a Deployment asks for now."""
        return words.tag_of((await self.lab.deployment(self.namespace, name))["spec"]["template"])

    async def replica_sets(self, name: str) -> list[Any]:
        """The ReplicaSets of a Deployment."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/replicasets"
        return await self.lab.api.list(path, labelSelector=f"app={name}")

    async def pods(self, name: str) -> list[Any]:
        """The pods of a Deployment that are not being deleted."""
        found = await self.lab.api.list(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=f"app={name}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    async def error_ratio(self, name: str, *, requests: int = 100) -> float:
        """The share of 5xx among the next requests that clients of a Service send."""
        before = await self.lab.traffic_stats(self.namespace, name)
        after: list[Any] = [before]

        async def enough() -> bool:
            after[0] = await self.lab.traffic_stats(self.namespace, name)
            return bool(after[0]["requests"] - before["requests"] >= requests)

        await self.until(enough, what=f"{requests} requests to {name}", timeout_s=GUARD_S)
        return float((after[0]["errors_5xx"] - before["errors_5xx"]) / (after[0]["requests"] - before["requests"]))

    async def until_served(self, platform: Platform, colour: str, *, requests: int) -> None:
        """Returns when so many more requests to every Service of a set have been answered by that colour."""
        before = {member: await platform.reached(member, colour) for member in platform.services}
        found: dict[str, int] = {}

        async def served() -> bool:
            for member, was in before.items():
                found[member] = (await platform.reached(member, colour)).since(was).requests
            return min(found.values()) >= requests

        await self.until(served, what=f"{requests} requests to {colour}", timeout_s=GUARD_S, seen=lambda: found)

    # --- the eyes ---

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Tells, while the block runs, every change of the Deployments and pods, and what its guards log.

        At its end the guards are ended.
        """
        base = f"/namespaces/{self.namespace}"
        await self.lab.namespace(self.namespace)
        async with AsyncExitStack() as stack:
            mirrors = {
                "deployment": (Mirror(self.lab.api, f"/apis/apps/v1{base}/deployments"), words.of_deployment),
                "pod": (Mirror(self.lab.api, f"/api/v1{base}/pods"), words.of_pod),
            }
            work = [self._read_logs()]
            for kind, (mirror, in_words) in mirrors.items():
                mirror.subscribe(self._teller(kind, in_words))
                work.append(mirror.run())
            tasks = [asyncio.create_task(each) for each in work]
            stack.push_async_callback(_cancelled, tasks)
            try:
                yield
            finally:
                self._tell_logs()
                await asyncio.gather(*(guard.stop() for guard in self.guards))

    def _teller(self, kind: str, in_words: Callable[[Any], str]) -> Callable[[str, Any], None]:
        def changed(change: str, item: Any) -> None:
            name = f"{kind} {item['metadata']['name']}"
            line = "gone" if change == "DELETED" else in_words(item)
            if self._last.get(name) != line:
                self._last[name] = line
                self.tell(f"  {name}: {line}")

        return changed

    async def _read_logs(self) -> None:
        while True:
            self._tell_logs()
            await asyncio.sleep(LOOK_EVERY_S)

    def _tell_logs(self) -> None:
        for each in self.guards:
            records = each.records()
            for record in records[self._told.get(each.name, 0) :]:
                self.tell(f"  {each.name}: {words.of_record(record)}")
            self._told[each.name] = len(records)


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def topics(rollout: Mapping[str, Any]) -> list[str]:
    """What the notices of a rollout were about, in order."""
    return [notice["topic"] for notice in rollout["notices"]]

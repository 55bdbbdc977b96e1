"""The policy as a cluster object: changed without a restart, refused with its mistake, and kept by an open rollout."""

import json
from pathlib import Path
from typing import Any

from lab import policies
from lab.scenarios.stage import GROUP, ScenarioError, Stage

NAME, LATER = "api", "web"


async def play(stage: Stage) -> None:
    """Bad objects change nothing; a good one counts for what begins then, also in another namespace."""
    await stage.lab.namespace(stage.guard_namespace)
    await stage.lab.deploy(stage.namespace, NAME, tag="v1", replicas=2, rps=30)
    await stage.lab.until_rolled_out(stage.namespace, NAME)
    file = stage.policy([NAME])
    await apply(stage, file)
    await stage.lab.grant(file, namespace=stage.guard_namespace)
    guard = stage.start_guard(f"{stage.guard_namespace}/{stage.namespace}")
    process = guard.child
    await stage.until_adopted(NAME)
    await stage.until_known(NAME)
    first = await status(stage, valid=True)
    await refused_by_the_server(stage, file)
    await refused_by_the_guard(stage, file, first)

    await stage.release(NAME, "v2-errors-15pct")
    began = await stage.until_rollout(NAME)
    document = read(file)
    other = await another_namespace(stage)
    document["spec"]["watch"].append({"name": LATER, "namespace": other, "workloads": [LATER]})
    document["spec"]["signals"]["errors"]["levels"] = {
        level: {**bound, "above": "90%"} for level, bound in document["spec"]["signals"]["errors"]["levels"].items()
    }
    await apply(stage, policies.write(file, document))
    changed = await status(stage, valid=True, not_digest=first["digest"])
    await stage.lab.grant(file, namespace=stage.guard_namespace)
    undone = await stage.until_undone(NAME)
    stage.expect_equal(undone["policyDigest"], began["policyDigest"], "the policy that the rollout was judged by")

    await stage.until(lambda: _adopted(stage, other), what=f"the adoption of {other}/{LATER}")
    stage.tell(f"{other}/{LATER}: adopted")
    await stage.release(NAME, "v3")
    again = await stage.until_rollout(NAME, nth=2)
    stage.expect_equal(again["policyDigest"], changed["digest"], "the policy that the next rollout begins with")
    stage.expect(guard.child is process and process.running(), "all of it without a restart")


def read(file: Path) -> Any:
    """The document of a policy's file."""
    return json.loads(file.read_text())


async def apply(stage: Stage, file: Path) -> str:
    """Applies the policy as people do."""
    return await stage.kubectl("apply", "-n", stage.guard_namespace, "-f", str(file))


async def status(stage: Stage, *, valid: bool, not_digest: str = "") -> Any:
    """The policy object's status, once it says so of its present generation."""
    found: list[Any] = []

    async def said() -> bool:
        path = f"{GROUP}/namespaces/{stage.guard_namespace}/guardpolicies/{stage.namespace}"
        whole = await stage.lab.api.get(path)
        found[:] = [whole.get("status", {})]
        present = found[0].get("observedGeneration") == whole["metadata"]["generation"]
        return present and found[0]["valid"] is valid and found[0]["digest"] != not_digest

    await stage.until(said, what=f"a policy that is {'good' if valid else 'bad'}", seen=lambda: found)
    return found[0]


async def refused_by_the_server(stage: Stage, file: Path) -> None:
    """Unknown keys and wrong types never become an object."""
    document = read(file)
    for wrong, said in (({"mod": "observe"}, 'unknown field "spec.mod"'), ({"mode": "often"}, "spec.mode")):
        bad = policies.write(
            file.with_name(f"{stage.namespace}-bad.json"), {**document, "spec": {**document["spec"], **wrong}}
        )
        try:
            await apply(stage, bad)
        except ScenarioError as error:
            stage.expect(said in str(error), f"the API server refuses it: {said}")
        else:
            raise ScenarioError(f"the API server took {wrong}")


async def refused_by_the_guard(stage: Stage, file: Path, before: Any) -> None:
    """What the API server cannot check is found by the guard, which stays under the policy before."""
    document = read(file)
    document["spec"]["signals"]["errors"]["levels"]["rollback"]["above"] = "much"
    await apply(stage, policies.write(file.with_name(f"{stage.namespace}-bad.json"), document))
    found = await status(stage, valid=False)
    stage.expect_equal(found["digest"], before["digest"], "the policy in force")
    stage.expect("spec.signals.errors.levels.rollback.above" in found["mistakes"][0], found["mistakes"][0])

    async def condition() -> bool:
        path = f"{GROUP}/namespaces/{stage.guard_namespace}/guardedunits/rollguard-all"
        everything = await stage.lab.api.find(path)
        conditions = everything["status"].get("conditions", []) if everything is not None else []
        return any(each["name"] == "PolicyInvalid" for each in conditions)

    await stage.until(condition, what="the condition PolicyInvalid")
    shown = await stage.rollguard("status")
    stage.expect("PolicyInvalid" in shown, "`rollguard status` says so")
    await apply(stage, file)
    await status(stage, valid=True)


async def another_namespace(stage: Stage) -> str:
    """A namespace that the policy has not named so far, with a service in it."""
    other = f"{stage.namespace}-later"
    await stage.lab.namespace(other)
    await stage.lab.deploy(other, LATER, tag="v1", replicas=1, rps=0)
    return other


async def _adopted(stage: Stage, namespace: str) -> bool:
    unit = await stage.lab.api.find(f"{GROUP}/namespaces/{namespace}/guardedunits/deployment-{LATER}")
    return unit is not None and bool(unit.get("status", {}).get("adopted"))

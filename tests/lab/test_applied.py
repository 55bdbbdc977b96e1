"""The rendered files, applied by the real kubectl in the order of the operators' guide, where nothing of it was.

The rollback by a Job is played under a guard that only observes: nothing but the Job puts the bad release back.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from lab import operator, policies, programs
from lab.world import Lab
from tests.lab.test_installed import closed, image_of, rollguard

pytestmark = pytest.mark.lab
NAMESPACE = "applied"
NAME = "speech-to-text"
GUARD = "monitoring"
APPLIED = ("deployment-alerts.yaml", "rollback-automation.yaml", "service-monitor.yaml", "dashboards.yaml")
"""In the order of the guide, then what it does not name."""
PLATFORM = Path(__file__).parents[2] / "examples" / "dubbing-platform" / "policy.yaml"
BUDGET = "poddisruptionbudget.policy/monitoring configured"
"""What kubectl says of every budget that it applies again, changed or not."""
SECRET = (
    *("create", "secret", "generic", "notification-secrets", "-n", GUARD),
    "--from-literal=slack-webhook-url=https://hooks.example.com/x",
    "--from-literal=pagerduty-api-key=k",
    "--from-literal=pagerduty-service-id=s",
)


async def kubectl(lab: Lab, *words: str, code: int = 0) -> str:
    """What the real kubectl prints, warnings included; fails the test at another exit code."""
    command = (programs.require(["kubectl"])["kubectl"], "--kubeconfig", lab.kubeconfig, *words)
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    text = out.decode()
    print(f"$ kubectl {' '.join(words)}\n{text}", file=sys.stderr)
    assert process.returncode == code, text
    return text


async def the_job(lab: Lab, name: str) -> str:
    """Makes a Job from the template, as the guide says, and waits for its end: `Complete` or `Failed`."""
    await kubectl(lab, "create", "job", "--from=cronjob/rollback-job-template", name, "-n", GUARD)
    ended: list[str] = []

    async def over() -> bool:
        job = await lab.api.get(f"/apis/batch/v1/namespaces/{GUARD}/jobs/{name}")
        conditions = job["status"].get("conditions") or []
        ended.extend(each["type"] for each in conditions if each["status"] == "True")
        return bool({"Complete", "Failed"} & set(ended))

    await lab.until(over, what=f"the end of Job {name}")
    return "Complete" if "Complete" in ended else "Failed"


async def bad(lab: Lab) -> bool:
    """Whether the guard's verdict on the open rollout is bad."""
    rollouts = f"/apis/rollguard.dev/v1alpha1/namespaces/{NAMESPACE}/guardedrollouts"
    return any(each.get("status", {}).get("verdict") == "bad" for each in await lab.api.list(rollouts))


async def steps_of_the_guide(lab: Lab, files: Path) -> None:
    """Each succeeds at the first try, and again changes nothing; the pods run before their Secret exists."""
    there = [str(files / name) for name in APPLIED]
    for file in there:
        assert "created" in await kubectl(lab, "apply", "-f", file)
    for file in there:
        again = (await kubectl(lab, "apply", "-f", file)).splitlines()
        assert again
        assert [line for line in again if not line.endswith(" unchanged")] in ([], [BUDGET]), again
    generation = ("-o", "jsonpath={.metadata.generation}")
    assert await kubectl(lab, "get", "pdb", "monitoring", "-n", GUARD, *generation) == "1"
    await kubectl(lab, "rollout", "status", "deployment/monitoring", "-n", GUARD, "--timeout=60s")
    assert "created" in await kubectl(lab, *SECRET)
    assert "already exists" in await kubectl(lab, *SECRET, code=1)


async def test_the_rendered_files_install_a_guard_whose_job_puts_the_only_bad_rollout_back(cluster: Lab) -> None:
    for definition in operator.definitions():
        await kubectl(cluster, "apply", "--server-side", "-f", str(definition))
    await cluster.namespace(NAMESPACE)
    await cluster.deploy(NAMESPACE, NAME, rps=0)
    await cluster.until_rolled_out(NAMESPACE, NAME)
    url = cluster.prometheus.url
    document = policies.policy(namespace=NAMESPACE, prometheus=url, workloads=[NAME], mode="observe")
    policy = policies.write(cluster.workdir / f"{NAMESPACE}-policy.json", document)
    files = cluster.workdir / "rendered"
    await rollguard_render(policy, files)
    await steps_of_the_guide(cluster, files)
    await the_server_takes_the_platforms_files(cluster)
    assert await the_job(cluster, "rollback-none") == "Failed"
    assert "no rollout under guard is bad" in await kubectl(cluster, "logs", "job/rollback-none", "-n", GUARD)
    good = image_of(await cluster.deployment(NAMESPACE, NAME))
    await until_adopted(cluster)
    await cluster.release(NAMESPACE, NAME, "v2-crash")
    await cluster.until(lambda: bad(cluster), what="the verdict")
    assert await the_job(cluster, "rollback-1") == "Complete", await kubectl(
        cluster, "logs", "job/rollback-1", "-n", GUARD
    )
    assert image_of(await cluster.deployment(NAMESPACE, NAME)) == good
    await every_pod_is_restricted(cluster)
    await closed(cluster, NAMESPACE)
    await kubectl(cluster, "delete", "secret", "notification-secrets", "-n", GUARD)
    await rollguard(cluster.kubeconfig, "uninstall", "--yes")

    async def gone() -> bool:
        return await cluster.api.find(f"/api/v1/namespaces/{GUARD}") is None

    await cluster.until(gone, what="the end of the guard's namespace")
    await cluster.leave(NAMESPACE)


async def rollguard_render(policy: Path, files: Path) -> None:
    """Renders, and checks that a check finds nothing."""
    for more in ((), ("--check",)):
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("rollguard")), "render", str(policy), "-o", str(files), *more)
        )
        assert await process.wait() == 0


async def the_server_takes_the_platforms_files(lab: Lab) -> None:
    """All objects of the platform's own policy, tried without effect."""
    await lab.namespace("production")
    files = lab.workdir / "platform"
    await rollguard_render(PLATFORM, files)
    for name in APPLIED:
        await kubectl(lab, "apply", "--dry-run=server", "-f", str(files / name))


async def until_adopted(lab: Lab) -> None:
    """Returns when the version that runs is a way back."""
    units = f"/apis/rollguard.dev/v1alpha1/namespaces/{NAMESPACE}/guardedunits"

    async def adopted() -> bool:
        return any(unit.get("status", {}).get("adopted", {}).get("saved") for unit in await lab.api.list(units))

    await lab.until(adopted, what="the adoption")


async def every_pod_is_restricted(lab: Lab) -> None:
    """The API server itself says which pods the restricted standard would refuse: none of the guard's."""
    enforced = ("pod-security.kubernetes.io/enforce=restricted", "--dry-run=server")
    assert "violate" in await kubectl(lab, "label", "namespace", NAMESPACE, *enforced), "the apps are not restricted"
    said = await kubectl(lab, "label", "namespace", GUARD, *enforced)
    assert "labeled" in said
    assert "violate" not in said, said

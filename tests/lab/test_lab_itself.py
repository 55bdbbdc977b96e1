"""The lab is real: what the other lab tests rely on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import programs
from lab.api import Api, ApiError
from lab.controlplane import ControlPlane
from lab.parts import REPOSITORY
from lab.processes import ProcessError
from lab.world import Lab, LabSettings

pytestmark = pytest.mark.lab


async def test_the_control_plane_answers_as_the_version_that_it_was_built_from(
    control_plane: ControlPlane,
) -> None:
    async with Api.from_file(control_plane.kubeconfig) as api:
        version = await api.get("/version")
    assert version["gitVersion"] == "v1.36.3"


async def test_a_user_without_rights_is_refused(control_plane: ControlPlane) -> None:
    async with Api.from_file(control_plane.kubeconfig_for("nobody")) as api:
        with pytest.raises(ApiError) as refused:
            await api.list("/api/v1/namespaces")
    assert refused.value.status == 403


async def test_the_api_server_comes_back_at_its_address_with_its_state(control_plane: ControlPlane) -> None:
    async with Api.from_file(control_plane.kubeconfig) as api:
        before = await api.get("/api/v1/namespaces/kube-system")
        await control_plane.restart_apiserver()
        after = await api.get("/api/v1/namespaces/kube-system")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_deployment_reaches_its_replicas_and_prometheus_sees_its_pods(lab: Lab) -> None:
    namespace = await lab.namespace("lab-itself")
    await lab.deploy(namespace, "translation", replicas=3)
    await lab.until_rolled_out(namespace, "translation")
    question = f'up{{job="pods",namespace="{namespace}",deployment="translation"}} == 1'
    found: dict[str, float] = {}

    async def three_pods_up() -> bool:
        found.clear()
        found.update(await lab.prometheus.query(question))
        return len(found) == 3

    await lab.until(three_pods_up, what="three scraped pods", timeout_s=60, seen=lambda: found)


async def test_traffic_reaches_the_pods(lab: Lab) -> None:
    namespace = await lab.namespace("lab-traffic")
    await lab.deploy(namespace, "lip-sync")
    await lab.until_rolled_out(namespace, "lip-sync")
    found: dict[str, float] = {}

    async def both_pods_serve() -> bool:
        found.clear()
        found.update(await lab.prometheus.query(f'sum by (pod) (http_requests_total{{namespace="{namespace}"}}) > 20'))
        return len(found) == 2

    await lab.until(both_pods_serve, what="requests to both pods", timeout_s=60, seen=lambda: found)


async def test_prometheus_comes_back_at_its_address_with_its_data(lab: Lab) -> None:
    before: dict[str, float] = {}

    async def scraped() -> bool:
        before.update(await lab.prometheus.query("max(timestamp(up))"))
        return bool(before)

    await lab.until(scraped, what="a first scrape", timeout_s=60)
    address = lab.prometheus.url
    await lab.prometheus.kill()
    await lab.prometheus.start()
    assert lab.prometheus.url == address
    remembered = await lab.prometheus.query(f"max(timestamp(up @ {before['']}))")
    assert remembered == before


async def test_prometheus_takes_rules_in_and_refuses_bad_ones_with_its_reason(lab: Lab) -> None:
    rule = {"alert": "LabIsScraped", "expr": 'up{job="cadvisor"} == 1', "labels": {"severity": "none"}}
    rules = json.dumps({"groups": [{"name": "lab-itself", "rules": [rule]}]})
    await lab.prometheus.load_rules("lab-itself", rules)

    async def fires() -> bool:
        fired = [alert for alert in await lab.prometheus.alerts() if alert.name == "LabIsScraped" and alert.firing]
        return {alert.labels["node"] for alert in fired} == {*lab.settings.nodes}

    await lab.until(fires, what="an alert for each node", timeout_s=60)
    with pytest.raises(ProcessError, match=r"(?s)refused the rules worse.*LabIsScraped"):
        await lab.prometheus.load_rules("worse", rules.replace("== 1", "== =="))
    await lab.prometheus.drop_rules("lab-itself")
    assert not await lab.prometheus.alerts()


async def test_a_part_that_cannot_start_says_why(control_plane: ControlPlane, tmp_path: Path) -> None:
    settings = LabSettings(workdir=tmp_path, startup_s=(2.0, 1.0))
    with pytest.raises(ProcessError, match=r"(?s)ended with code 2 before its ready line.*expected 0 <= LOW <= HIGH"):
        async with Lab.up(settings, plane=control_plane):
            pass


def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as stream:
        lab = subprocess.Popen(
            [sys.executable, "-m", "lab", "up"],
            cwd=REPOSITORY,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # Marks the lab's processes, however they were started, among all others of the machine.
            env={**os.environ, "ROLLGUARD_LAB_MARK": str(tmp_path)},
        )
    _until(lambda: "Ctrl-C ends all of it." in output.read_text(), lab, output)
    running = _marked(str(tmp_path))
    assert len(running) >= 8, output.read_text()
    lab.send_signal(signal.SIGINT)
    assert lab.wait(timeout=30) == 0, output.read_text()
    assert _marked(str(tmp_path)) == []


def test_a_killed_lab_leaves_no_process(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as stream:
        lab = subprocess.Popen(
            [sys.executable, "-m", "lab", "up"],
            cwd=REPOSITORY,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "ROLLGUARD_LAB_MARK": str(tmp_path), "TMPDIR": str(tmp_path)},
        )
    _until(lambda: "control plane: ready" in output.read_text(), lab, output)
    lab.kill()
    lab.wait(timeout=10)
    _until(lambda: not _marked(str(tmp_path)), None, output)


def test_a_program_that_the_lab_does_not_know_is_named_with_those_that_it_does() -> None:
    with pytest.raises(programs.ProgramError, match=r"unknown program 'kubelet': the lab knows etcd, kube-apiserver"):
        programs.find("kubelet")


def _until(
    condition: Callable[[], bool],
    process: subprocess.Popen[bytes] | None,
    output: Path,
    timeout_s: float = 90.0,
) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert process is None or process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.05)


def _marked(mark: str) -> list[str]:
    """The command lines of the running processes whose environment carries the mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended in between, or belongs to somebody else
    return found

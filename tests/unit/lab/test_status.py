"""Phases and conditions follow the kubelet's rules."""

from typing import Any

from lab.kubelet.status import conditions, phase, with_times


def status(state: str, *, code: int = 0, ran_before: bool = False, ready: bool = False) -> dict[str, Any]:
    inner = {"exitCode": code} if state == "terminated" else {}
    last = {"terminated": {"exitCode": 1}} if ran_before else {}
    return {"name": "app", "state": {state: inner}, "lastState": last, "ready": ready}


def test_a_container_that_never_ran_keeps_the_pod_pending() -> None:
    assert phase([status("waiting"), status("running")], "Always", True) == "Pending"
    assert phase([status("running")], "Always", False) == "Pending"


def test_a_crash_loop_is_a_running_pod() -> None:
    assert phase([status("waiting", ran_before=True)], "Always", True) == "Running"
    assert phase([status("terminated", code=1)], "Always", True) == "Running"


def test_a_pod_of_a_job_ends_by_its_exit_codes() -> None:
    assert phase([status("terminated")], "Never", True) == "Succeeded"
    assert phase([status("terminated"), status("terminated", code=1)], "Never", True) == "Failed"
    assert phase([status("terminated", code=1)], "OnFailure", True) == "Running"
    assert phase([status("terminated"), status("running")], "Never", True) == "Running"


def test_ready_needs_every_container() -> None:
    found = {each["type"]: each for each in conditions([status("running")], [], "Running", True)}
    assert found["Ready"]["status"] == "False"
    assert found["Ready"]["message"] == "containers with unready status: [app]"
    found = {each["type"]: each for each in conditions([status("running", ready=True)], [], "Running", True)}
    assert found["Ready"] == {"type": "Ready", "status": "True"}


def test_a_transition_time_moves_only_with_its_status() -> None:
    old = [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    same = with_times([{"type": "Ready", "status": "False", "message": "new words"}], old, 1_800_000_000.0)
    moved = with_times([{"type": "Ready", "status": "True"}], old, 1_800_000_000.0)
    assert same[0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert moved[0]["lastTransitionTime"] == "2027-01-15T08:00:00Z"

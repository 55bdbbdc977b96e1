"""What the writes of a rollback say for the first time: where runs are struck."""

import json

from lab.faults.written import AtPoints, points
from lab.proxy import WriteSeen

BASE = "/apis/rollguard.dev/v1alpha1/namespaces/set-7"


def record(n: int, *steps: str, told: str = "Plan shop-s1-ab12.1: switch back") -> WriteSeen:
    timeline = [{"kind": "plan", "text": told}]
    status = {
        "state": "acting",
        "verdict": "bad",
        "timeline": timeline,
        "plan": {"steps": [{"n": i, "state": state} for i, state in enumerate(steps, 1)]},
    }
    return write(n, "PUT", f"{BASE}/guardedrollouts/shop-s1-ab12/status", {"status": status})


def patch(n: int, *, dry_run: bool = False) -> WriteSeen:
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
    return write(n, "PATCH", "/apis/apps/v1/namespaces/set-7/deployments/backend-green", operations, dry_run=dry_run)


def write(n: int, method: str, path: str, body: object, *, dry_run: bool = False) -> WriteSeen:
    return WriteSeen(n=n, method=method, path=path, dry_run=dry_run, status=200, body=json.dumps(body).encode())


def test_a_write_is_a_point_by_what_no_earlier_one_said() -> None:
    run = [record(1), record(2, "pending"), patch(3, dry_run=True), record(4, "trying"), patch(5), record(6, "trying")]
    assert points(run, since="rollout acting")[0] == {
        "rollout acting",
        "verdict bad",
        "told plan: Plan ID.1: switch back",
    }
    assert points(run, since="step 1 pending") == [
        {"step 1 pending"},
        {"try PATCH deployments/backend-green to 0"},
        {"step 1 trying"},
        {"PATCH deployments/backend-green to 0"},
    ]


def test_each_point_is_struck_once_though_its_write_is_sent_again_by_who_takes_over() -> None:
    aim = AtPoints(name="1", points=[frozenset({"step 1 trying"}), frozenset({"PATCH deployments/backend-green to 0"})])
    sent = [record(1, "pending"), record(2, "trying"), record(3, "trying"), patch(4), patch(5), record(6, "done")]
    assert [aim.hits(each) for each in sent] == [False, True, False, True, False, False]
    assert aim.struck == {"step 1 trying", "PATCH deployments/backend-green to 0"}

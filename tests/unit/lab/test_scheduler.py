"""Pods go where there is room, spread by owner."""

from typing import Any

from lab.kubelet.quantity import parse_quantity
from lab.kubelet.scheduler import choose


def node(name: str, cpu: str = "4", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi"}},
    }


def pod(owner: str = "rs1", cpu: str = "1", on: str | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "uid": f"{owner}-{on}", "ownerReferences": [{"uid": owner}]},
        "spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}], "nodeName": on, **spec},
    }


def test_an_owners_pods_are_spread_before_all_pods_are() -> None:
    placed = [pod("rs1", on="node-a"), pod("rs2", on="node-b"), pod("rs3", on="node-b")]
    assert choose(pod("rs1"), [node("node-a"), node("node-b")], placed)[0] == "node-b"
    assert choose(pod("new"), [node("node-a"), node("node-b")], placed)[0] == "node-a"


def test_a_request_larger_than_any_node_is_unschedulable_with_the_reason() -> None:
    assert choose(pod(cpu="5"), [node("node-a"), node("node-b")], []) == (
        None,
        "0/2 nodes are available: 2 Insufficient cpu.",
    )


def test_what_runs_already_takes_room() -> None:
    placed = [pod(cpu="3500m", on="node-a")]
    assert choose(pod("rs2"), [node("node-a"), node("node-b", cpu="1")], placed)[0] == "node-b"
    assert choose(pod("rs2", cpu="2"), [node("node-a"), node("node-b", cpu="1")], placed)[0] is None


def test_cordoned_and_unselected_nodes_are_left_out() -> None:
    nodes = [node("node-a", unschedulable=True), node("node-b")]
    assert choose(pod(), nodes, [])[0] == "node-b"
    assert choose(pod(nodeSelector={"kubernetes.io/hostname": "node-a"}), nodes, [])[0] is None


def test_quantities_are_read_as_the_api_writes_them() -> None:
    assert [parse_quantity(text) for text in ("100m", "1.5", "256Mi", "1e3", "2k", "500000n", 3)] == [
        0.1, 1.5, 256 * 2**20, 1000, 2000, 0.0005, 3,
    ]  # fmt: skip

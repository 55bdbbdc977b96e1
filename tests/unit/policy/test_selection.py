"""Which watch guards a workload."""

from __future__ import annotations

from rollguard.model.facts import InventoryItem
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.policy import watch_of
from tests.unit.policy.texts import GOOD, changed, good

POLICY = good(
    changed(
        "      workloads: [web, api]\n",
        "      workloads: [web, api]\n"
        "    - {name: models, namespace: production, selector: {matchLabels: {team: models}}}\n"
        "    - {name: others, namespace: production, selector: {matchLabels: {tier: back, kind: job}}}\n",
    )
)


def item(name: str, namespace: str = "production", guard: str | None = None, **labels: str) -> InventoryItem:
    return InventoryItem(
        name=WorkloadName(namespace, WorkloadKind.DEPLOYMENT, name),
        uid="1",
        labels=tuple(labels.items()),
        annotations=(("rollguard.dev/guard", guard),) if guard is not None else (),
    )


def name_of(found: InventoryItem) -> str | None:
    watch = watch_of(POLICY, found)
    return watch.name if watch else None


def test_a_named_workload_is_guarded_by_its_watch() -> None:
    assert name_of(item("web")) == "web"
    assert name_of(item("web", team="models", tier="back")) == "web"


def test_a_selector_needs_all_its_labels_and_the_first_wins() -> None:
    assert name_of(item("x", team="models", tier="back", kind="job")) == "models"
    assert name_of(item("x", team="shop", tier="back", kind="job")) == "others"
    assert name_of(item("x", tier="back")) is None


def test_another_namespace_is_not_guarded() -> None:
    assert name_of(item("web", namespace="staging")) is None


def test_a_workload_opts_out_by_its_annotation() -> None:
    assert name_of(item("web", guard="off")) is None
    assert name_of(item("web", guard="on")) == "web"


def test_a_policy_without_selectors_guards_only_what_it_names() -> None:
    assert watch_of(good(GOOD), item("other", team="models")) is None

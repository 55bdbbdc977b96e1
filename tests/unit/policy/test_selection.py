"""Which watch guards a workload."""

from __future__ import annotations

from dataclasses import replace

from rollguard.judge import signals_of
from rollguard.model.facts import InventoryItem
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.policy import Mode, Watch
from rollguard.policy import watch_of
from rollguard.signals import asked
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


SMALL_SET = """\
      releaseSet: {selectorKey: version, colours: [blue, green], members: [{name: a, service: a}]}
"""
SET = good(
    changed(
        "      workloads: [web, api]\n",
        "      workloads: [web, api]\n"
        "    - {name: all, namespace: production, selector: {matchLabels: {tier: shop}}, mode: automatic}\n"
        "    - name: shop\n"
        "      namespace: production\n"
        "      mode: automatic\n"
        "      signals: [errors, memory, restarts, connections, needed]\n"
        "      releaseSet:\n"
        "        selectorKey: version\n"
        "        colours: [blue, green]\n"
        "        members:\n"
        "          - {name: backend, service: backend-service}\n"
        "          - {name: workers, workloads: {green: g, blue: b}, signals: [queue]}\n",
    )
    + """\
    memory: {kind: gauge, gauge: memory_bytes, levels: {warning: {above: 5, for: 5m}}, required: false}
    restarts: {kind: rate, counter: restarts_total, levels: {warning: {above: 1/min, for: 5m}}, required: false}
    connections: {kind: gauge, gauge: c, scope: shared, levels: {warning: {above: 5, for: 5m}}, required: false}
    needed: {kind: gauge, gauge: needed, levels: {warning: {above: 5, for: 5m}}, required: true}
    queue: {kind: gauge, gauge: queue_length, levels: {warning: {above: 5, for: 5m}}, required: false}
    crashes: {kind: event, rule: crashLoop}
"""
)


def colour(name: str, **labels: str) -> Watch:
    watch = watch_of(SET, item(name, **labels))
    assert watch is not None
    return watch


def test_a_colour_of_a_release_set_is_only_watched() -> None:
    watch = colour("backend-green")
    assert (watch.name, watch.colour_of, watch.mode) == ("shop", "shop", Mode.OBSERVE)
    assert watch.workloads == ("backend-green",)
    assert watch.release_set is None


def test_a_colour_needs_no_traffic_to_be_judged_and_is_charged_nothing_shared() -> None:
    assert colour("backend-blue").signals == ("memory", "restarts", "crashes")
    assert colour("b").signals == ("queue", "crashes")


def test_a_colour_without_any_such_signal_has_none_instead_of_all() -> None:
    policy = good(changed("      workloads: [web, api]\n", SMALL_SET))
    watch = watch_of(policy, item("a-blue"))
    assert watch is not None
    assert watch.signals == ()
    assert signals_of(policy, watch) == ()


def test_the_release_set_goes_before_a_selector_that_matches_its_colours_too() -> None:
    assert colour("backend-blue", tier="shop").colour_of == "shop"
    assert colour("other", tier="shop").colour_of == ""


def test_a_colour_opts_out_by_its_annotation() -> None:
    assert watch_of(SET, item("backend-blue", guard="off")) is None


def test_a_name_of_the_set_in_another_namespace_is_none_of_its_colours() -> None:
    assert watch_of(SET, item("backend-blue", namespace="staging")) is None


def test_the_sets_of_a_policy() -> None:
    assert POLICY.release_sets() == ()
    (found,) = SET.release_sets()
    assert found.colours == ("blue", "green")
    assert [each.name for each in found.deployments()] == ["backend-blue", "backend-green", "b", "g"]
    assert [member.service for member in found.members] == ["backend-service", ""]


def test_the_store_is_asked_for_what_a_member_alone_names() -> None:
    assert [signal.name for signal in asked(SET)] == [s.name for s in SET.signals if s.name != "crashes"]
    narrow = replace(SET, watches=SET.watches[2:])
    assert "queue" in [signal.name for signal in asked(narrow)]
    without = replace(narrow, watches=(replace(narrow.watches[0], release_set=None),))
    assert "queue" not in [signal.name for signal in asked(without)]

"""Release sets in the text of a policy."""

from __future__ import annotations

import json

import pytest

from rollguard.model.policy import ReleaseSet, SetMember
from rollguard.policy import canonical, digest, load_object, restored
from rollguard.policy.shown import written_out
from tests.unit.policy.texts import GOOD, WITH_SET, good, mistakes, only

WATCH = """\
    - name: shop
      namespace: production
      releaseSet:
        selectorKey: SELECTOR
        colours: COLOURS
        members:
"""


def with_set(*members: str, key: str = "version", colours: str = "[blue, green]") -> str:
    """The small policy with a release set of these members."""
    watch = WATCH.replace("SELECTOR", key).replace("COLOURS", colours)
    lines = "".join(f"          - {{{member}}}\n" for member in members)
    return GOOD.replace("  signals:\n", f"{watch}{lines}  signals:\n", 1)


def test_a_set_is_read_with_the_deployments_that_go_by_its_members_names() -> None:
    policy = good(WITH_SET)
    assert policy.watches[1].workloads == ()
    assert policy.watches[1].release_set == ReleaseSet(
        name="shop",
        namespace="production",
        selector_key="version",
        colours=("blue", "green"),
        members=(
            SetMember(
                name="backend",
                service="backend-service",
                workloads=(("blue", "backend-blue"), ("green", "backend-green")),
            ),
            SetMember(
                name="frontend",
                service="frontend-service",
                workloads=(("blue", "frontend-blue"), ("green", "frontend-green")),
                signals=("errors",),
            ),
            SetMember(name="workers", service="", workloads=(("blue", "workers-blue"), ("green", "workers-green"))),
        ),
    )
    assert (policy.timing.join_within, policy.timing.drain) == (180.0, 45.0)


def test_deployments_by_colour_stand_in_the_order_of_the_sets_colours() -> None:
    set_ = good(with_set("name: a, workloads: {green: g, blue: b}")).watches[1].release_set
    assert set_ is not None
    assert set_.members[0].workloads == (("blue", "b"), ("green", "g"))


def test_every_mistake_in_a_set_is_said_at_once_and_at_its_place() -> None:
    text = with_set(
        "name: backend, service: front",
        "name: backend, service: front",
        "name: workers, workloads: {blue: web, red: r}, signals: [error]",
        key="ver sion",
    )
    assert [mistake.expected for mistake in mistakes(text)] == [
        "the key of a Kubernetes label, such as version or example.com/colour",
        "a name of its own for each member",
        "each Service once: production/front is that of `backend` of the watch `shop` already",
        "a Deployment for each colour: there is none for green",
        "each workload once: production/web is in the watch `web` already",
        "one of the set's colours blue, green",
        "one of the signals errors",
    ]


def test_a_colour_that_makes_no_name_asks_for_the_names() -> None:
    text = with_set("name: a", colours="[Blue, green]")
    assert "policy.yaml:18:20: `a`: expected the Deployments by name in `workloads`: a-Blue" in only(text)
    good(with_set("name: a, workloads: {Blue: a-blue, green: a-green}", colours="[Blue, green]"))


def test_a_misspelled_colour_is_told_its_nearest() -> None:
    text = with_set("name: a, workloads: {blue: b, green: g, gren: h}")
    assert only(text).endswith("`gren`: expected one of the set's colours blue, green; did you mean `green`?")


def test_more_members_than_a_plan_has_steps_for_are_refused() -> None:
    good(with_set(*(f"name: m{number}" for number in range(6))))
    text = with_set(*(f"name: m{number}" for number in range(7)))
    assert "`7 members`: expected at most 6 members" in only(text)


def test_a_service_of_two_sets_is_refused_and_one_of_two_namespaces_is_not() -> None:
    other = "    - name: other\n      namespace: NAMESPACE\n      releaseSet: {selectorKey: version, "
    other += "colours: [blue, green], members: [{name: o, service: s}]}\n  signals:\n"
    text = with_set("name: a, service: s").replace("  signals:\n", other, 1)
    good(text.replace("NAMESPACE", "staging"))
    assert "production/s is that of `a` of the watch `shop` already" in only(text.replace("NAMESPACE", "production"))


def test_the_join_window_is_no_longer_than_the_automatic_part() -> None:
    short = GOOD.replace("for: 5m", "for: 1m") + "  window: {automatic: 90s}\n"
    assert good(short).timing.join_within == 90.0
    assert only(short + "  joinWindow: 2m\n").endswith(
        "`2m`: expected at most the automatic part of the window (1m30s)"
    )


def test_a_policy_with_a_set_that_was_kept_is_the_same_again() -> None:
    policy = good(WITH_SET)
    assert restored(canonical(policy), digest(policy)) == policy


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("selectorKey: version", "selectorKey: colour"),
        ("[blue, green]", "[green, blue]"),
        ("service: backend-service", "service: other"),
        ("green: workers-green", "green: other"),
        ("joinWindow: 3m", "joinWindow: 4m"),
        ("drain: 45s", "drain: 50s"),
    ],
)
def test_another_set_is_another_policy(old: str, new: str) -> None:
    assert WITH_SET.replace(old, new) != WITH_SET
    assert good(WITH_SET.replace(old, new)).digest != good(WITH_SET).digest


def test_an_object_of_the_cluster_is_told_by_key() -> None:
    document = written_out(WITH_SET, "policy.yaml")
    assert isinstance(document, dict)
    document["metadata"] = {"name": "small", "namespace": "monitoring"}
    text = json.dumps(document).replace('"green": "workers-green"', '"red": "workers-green"')
    found = load_object(text.encode())
    assert isinstance(found, tuple)
    places = {mistake.path: mistake.expected for mistake in found}
    assert places == {
        "spec.watch[1].releaseSet.members[2].workloads": "a Deployment for each colour: there is none for green",
        "spec.watch[1].releaseSet.members[2].workloads.red": "one of the set's colours blue, green",
    }

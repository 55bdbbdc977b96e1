"""An image's tag names what its app does."""

import pytest

from lab.kubelet.behaviour import EXAMPLES, MIB, Behaviour, parse_image, parse_tag


def test_a_version_alone_is_a_healthy_app() -> None:
    for image in ("backend:v1", "registry.lab:5000/backend:2.3.1", "backend", "registry.lab:5000/backend"):
        assert parse_image(image) == Behaviour()


def test_errors_carry_their_share() -> None:
    assert parse_tag("v2-errors-15pct").error_ratio == 0.15
    assert parse_tag("errors-2.5pct").error_ratio == 0.025


def test_a_fault_can_begin_late() -> None:
    behaviour = parse_tag("v2-errors-15pct-after-60s")
    assert (behaviour.error_ratio, behaviour.errors_after_s) == (0.15, 60.0)


def test_slow_names_its_latency_and_share() -> None:
    assert parse_tag("v3-slow") == Behaviour(slow_s=5.5, slow_ratio=0.2)
    assert parse_tag("v3-slow-1200ms-7pct") == Behaviour(slow_s=1.2, slow_ratio=0.07)


def test_crashes_soon_or_later() -> None:
    assert parse_tag("v4-crash").crash_after_s == 0.5
    assert parse_tag("crash-after-30s").crash_after_s == 30.0


def test_leak_and_database_errors_have_rates() -> None:
    assert parse_tag("v5-leak").leak_bytes_per_s == 2 * MIB
    assert parse_tag("v5-leak-10mib-after-5s") == Behaviour(leak_bytes_per_s=10 * MIB, leak_after_s=5.0)
    assert parse_tag("v2-dberrors-30permin").db_errors_per_min == 30.0


@pytest.mark.parametrize(
    ("tag", "failure"),
    [
        ("nopull", "not-found"),
        ("v2-missing", "not-found"),
        ("unauthorized-pull", "unauthorized"),
        ("v3-pull-429", "too-many-requests"),
        ("pull-5xx", "server-error"),
        ("pull-timeout", "timeout"),
        ("invalid-name", "invalid-name"),
    ],
)
def test_a_pull_can_fail_in_several_ways(tag: str, failure: str) -> None:
    assert parse_tag(tag).pull == failure


def test_faults_combine() -> None:
    behaviour = parse_tag("v2-errors-15pct-leak-4mib-silent")
    assert behaviour == Behaviour(error_ratio=0.15, leak_bytes_per_s=4 * MIB, serves_metrics=False)


@pytest.mark.parametrize("tag", ["v2-erors-15pct", "slowly", "v2-errors-15", "crashing"])
def test_a_misspelt_fault_is_never_a_healthy_app(tag: str) -> None:
    assert parse_tag(tag).pull == "not-found"


def test_every_example_does_what_no_other_does() -> None:
    behaviours = [parse_tag(tag) for tag, _ in EXAMPLES]
    assert len(set(behaviours)) == len(EXAMPLES)
    assert behaviours[0] == Behaviour()

"""A policy's text becomes a policy: values as people write them, defaults, presets."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.model.alerting import Category
from rollguard.model.policy import (
    Migration,
    MigrationInterlock,
    Mode,
    OwnerRule,
    Owners,
    Policy,
    QuietWindow,
    SecretsAccess,
)
from rollguard.model.signals import EventRule, Level, LevelName, Signal, SignalAlert, SignalKind
from rollguard.policy import PRESETS, load
from tests.unit.policy.texts import GOOD, added, changed, good

EXAMPLES = Path(__file__).parents[3] / "examples"


def signal(policy: Policy, name: str) -> Signal:
    return next(found for found in policy.signals if found.name == name)


def bounds(policy: Policy, name: str, level: LevelName) -> list[tuple[float | None, float, float]]:
    return [
        (found.quantile, found.bound, found.seconds) for found in signal(policy, name).levels if found.name is level
    ]


def test_a_small_policy_is_read_with_its_defaults() -> None:
    policy = good(GOOD)
    assert policy.watches[0].mode is Mode.OBSERVE
    assert policy.watches[0].workloads == ("web", "api")
    assert policy.metrics.pod_label == "pod"
    assert policy.timing.tick == 15.0
    assert policy.timing.slot == 30.0
    assert policy.timing.lateness == 20.0
    assert policy.on_timeout_roll_back is False
    assert signal(policy, "errors") == Signal(
        name="errors",
        kind=SignalKind.RATIO,
        levels=(Level(name=LevelName.ROLLBACK, bound=0.1, seconds=300.0, text="> 10% for 5m"),),
        required=True,
        shared=False,
        minimum_traffic=20,
        bad='http_requests_total{status=~"5.."}',
        total="http_requests_total",
        alerts=(
            SignalAlert(
                name="RollbackErrors",
                level=LevelName.ROLLBACK,
                category=Category.DEPLOYMENT,
                seconds=300.0,
                over=300.0,
            ),
        ),
    )


@pytest.mark.parametrize(
    ("interval", "slot", "lateness"), [("1s", 15.0, 6.0), ("5s", 15.0, 10.0), ("15s", 30.0, 20.0), ("1m", 120.0, 65.0)]
)
def test_the_slot_follows_the_scrape_interval(interval: str, slot: float, lateness: float) -> None:
    policy = good(changed("prometheus:9090\n", f"prometheus:9090\n    scrapeInterval: {interval}\n"))
    assert (policy.timing.slot, policy.timing.lateness) == (slot, lateness)


def test_a_short_window_scales_the_phases_that_are_not_given() -> None:
    timing = good(added("window: {automatic: 10m}")).timing
    assert (timing.startup, timing.stabilization, timing.automatic, timing.close) == (100.0, 300.0, 600.0, 7200.0)


def test_a_watch_takes_the_policys_mode_unless_it_has_its_own() -> None:
    assert good(added("mode: approve")).watches[0].mode is Mode.APPROVE
    text = changed("      workloads: [web, api]\n", "      workloads: [web, api]\n      mode: observe\n")
    assert good(text + "  mode: automatic\n").watches[0].mode is Mode.OBSERVE


@pytest.mark.parametrize(
    ("kind", "written", "bound"),
    [
        ("kind: rate\n      counter: c", "above: 0.5/min", 0.5),
        ("kind: rate\n      counter: c", "above: 1/s", 60.0),
        ("kind: rate\n      counter: c", "above: 3/h", 0.05),
        ("kind: gauge\n      gauge: g", "above: 7", 7.0),
        ("kind: gauge\n      gauge: g\n      limit: l", "above: 95%", 0.95),
        ("kind: histogram\n      buckets: b", "p99: 500ms", 0.5),
    ],
)
def test_bounds_are_read_as_people_write_them(kind: str, written: str, bound: float) -> None:
    text = GOOD + f"    more:\n      {kind}\n      levels:\n        warning: {{{written}, for: 90s}}\n"
    level = signal(good(text), "more").levels[0]
    assert level.bound == pytest.approx(bound, rel=1e-12)
    assert level.seconds == 90.0


def test_the_platforms_preset_has_the_bounds_of_its_guide() -> None:
    policy = good((EXAMPLES / "dubbing-platform/policy.yaml").read_text())
    assert bounds(policy, "errors", LevelName.WARNING) == [(None, 0.01, 300.0)]
    assert bounds(policy, "errors", LevelName.CRITICAL) == [(None, 0.05, 120.0)]
    assert bounds(policy, "errors", LevelName.ROLLBACK) == [(None, 0.1, 300.0)]
    assert bounds(policy, "latency", LevelName.WARNING) == [(0.95, 0.5, 300.0), (0.99, 2.0, 300.0)]
    assert bounds(policy, "latency", LevelName.CRITICAL) == [(0.95, 2.0, 300.0), (0.99, 5.0, 300.0)]
    assert bounds(policy, "latency", LevelName.ROLLBACK) == [(0.95, 5.0, 300.0)]
    assert bounds(policy, "restarts", LevelName.CRITICAL) == [(None, 0.5, 600.0)]
    assert bounds(policy, "memory", LevelName.WARNING) == [(None, 0.7, 600.0)]
    assert bounds(policy, "memory", LevelName.CRITICAL) == [(None, 0.9, 600.0)]
    assert bounds(policy, "database-connections", LevelName.CRITICAL) == [(None, 0.95, 300.0)]
    assert bounds(policy, "database-errors", LevelName.CRITICAL) == [(None, 0.0, 300.0)]
    assert bounds(policy, "database-errors", LevelName.ROLLBACK) == [(None, 10.0, 60.0)]
    assert signal(policy, "crash-loop").rule is EventRule.CRASH_LOOP
    assert signal(policy, "image-pull").rule is EventRule.IMAGE_PULL
    assert signal(policy, "progress-deadline").rule is EventRule.PROGRESS_DEADLINE
    assert signal(policy, "migration-failed").rule is EventRule.MIGRATION_FAILED
    assert policy.migration == Migration(patterns=("prisma-migrate-*",))
    assert signal(policy, "database-connections").shared
    assert {found.name for found in policy.signals if found.required} == {"errors", "latency", "job-failures"}
    assert {watch.mode for watch in policy.watches} == {Mode.AUTOMATIC}


def test_migrations_are_named_by_patterns_and_asked_about_unless_the_policy_says_more() -> None:
    assert good(GOOD).migration is None
    assert good(added("migration: {pattern: prisma-migrate-*}")).migration == Migration(
        patterns=("prisma-migrate-*",), interlock=MigrationInterlock.PROVEN, on_failure_roll_back=False
    )
    said = 'migration: {pattern: [prisma-*, flyway-?], interlock: "off", onFailure: rollBack}'
    assert good(added(said)).migration == Migration(
        patterns=("prisma-*", "flyway-?"), interlock=MigrationInterlock.OFF, on_failure_roll_back=True
    )


def test_a_shared_resource_is_asked_about_unless_the_policy_says_more() -> None:
    assert not good(GOOD).shared_roll_back
    assert good(added("shared: rollBack")).shared_roll_back


def test_a_watch_knows_whether_its_mode_is_its_own() -> None:
    assert not good(added("mode: automatic")).watches[0].own_mode
    own = changed("workloads: [web, api]", "workloads: [web, api]\n      mode: automatic")
    assert good(own).watches[0].own_mode


@pytest.mark.parametrize("file", sorted(EXAMPLES.rglob("*policy.yaml"), key=str), ids=lambda file: file.name)
def test_every_example_is_a_good_policy(file: Path) -> None:
    good(file.read_text())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_alone_is_enough(name: str) -> None:
    before_signals = GOOD[: GOOD.index("  signals:")]
    policy = good(before_signals + f"  preset: {name}\n")
    assert {"errors", "latency", "crash-loop"} <= {found.name for found in policy.signals}


def test_a_policy_overrides_a_preset_key_by_key() -> None:
    base = GOOD[: GOOD.index("  signals:")] + "  preset: generic\n"
    policy = good(
        base
        + "  signals:\n"
        + "    errors: {minimumTraffic: 50, levels: {rollback: {above: 25%}}}\n"
        + "    latency: {levels: {rollback: {p99: 9s}}}\n"
    )
    errors = signal(policy, "errors")
    assert errors.minimum_traffic == 50
    assert bounds(policy, "errors", LevelName.ROLLBACK) == [(None, 0.25, 300.0)]
    assert bounds(policy, "errors", LevelName.WARNING) == [(None, 0.01, 300.0)]
    assert bounds(policy, "latency", LevelName.ROLLBACK) == [(0.99, 9.0, 300.0)]


def test_the_digest_is_of_the_meaning_and_not_of_the_text() -> None:
    digest = good(GOOD).digest
    assert good("# a comment\n" + GOOD.replace("for: 5m", "for: 300s").replace("> 10%", "> 10%")).digest == digest
    assert good(GOOD.replace("above: 10%", "above: 11%")).digest != digest
    assert good(added("mode: automatic")).digest != digest
    assert len(digest) == 64


def test_an_empty_pod_label_says_that_series_carry_a_workload_only() -> None:
    text = changed("prometheus:9090\n", 'prometheus:9090\n    labels: {pod: "", workload: app}\n')
    store = good(text).metrics
    assert (store.pod_label, store.workload_label) == ("", "app")


def test_loading_never_reads_the_file_it_names() -> None:
    assert isinstance(load(GOOD, "/does/not/exist.yaml"), Policy)


def test_other_tools_are_respected_and_secrets_left_alone_unless_the_policy_says_otherwise() -> None:
    assert good(GOOD).owners == Owners(gitops=OwnerRule.HOLD, helm=OwnerRule.HOLD, secrets=SecretsAccess.NONE)
    said = good(added("gitops: ignore", "helm: ignore", "secrets: metadata")).owners
    assert said == Owners(gitops=OwnerRule.IGNORE, helm=OwnerRule.IGNORE, secrets=SecretsAccess.METADATA)


def test_a_quiet_window_has_the_policys_time_zone_unless_it_names_its_own() -> None:
    policy = good(
        added(
            "timeZone: Europe/Berlin",
            "maintenance:",
            "  - {name: nights, days: [fri, mon], from: '22:00', to: '06:00', reason: batch jobs}",
            "  - {name: close, from: '00:00', to: '24:00', timeZone: UTC, reason: books are closed}",
        )
    )
    assert policy.maintenance == (
        QuietWindow(name="nights", days=(0, 4), begin=1320, end=360, time_zone="Europe/Berlin", reason="batch jobs"),
        QuietWindow(name="close", days=(), begin=0, end=1440, time_zone="UTC", reason="books are closed"),
    )

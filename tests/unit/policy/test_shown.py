"""A policy written out with all defaults is the same policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollguard.cli.main import call
from rollguard.model.policy import Policy
from rollguard.policy import load
from rollguard.policy.shown import written_out
from rollguard.render import to_yaml
from tests.unit.policy.broken import RICH
from tests.unit.policy.texts import GOOD, WITH_SET, changed, good

PRESET = (
    GOOD[: GOOD.index("  signals:")] + "  preset: PRESET\n  signals:\n    errors: {levels: {rollback: {above: 25%}}}\n"
)
OTHER = (
    ("mode: approve", "mode: observe"),
    ("      mode: automatic\n", ""),
    ("scrapeInterval: 15s", "scrapeInterval: 5s"),
    ("      pod: pod\n", '      pod: ""\n'),
    ("    slot: 30s\n", ""),
    ("    lateness: 20s\n", ""),
    ("    startup: 2m\n", ""),
    ("    startup: 2m\n    stabilization: 10m\n", ""),
    ("automatic: 20m", "automatic: 25m"),
    ("      minimumTraffic: 50\n", ""),
    ("      required: true\n", ""),
    ("above: 100", "above: 0.25"),
    ("  cluster: eu\n", ""),
    ("    fleet: {units: 3, within: 10m}\n", ""),
    ("    rollbacks: 2\n", ""),
    ("    interlock: proven\n", ""),
    ("    pattern: prisma-migrate-*", "    pattern: [prisma-migrate-*, flyway-*]"),
    ("      days: [mon, tue]\n", ""),
    ("      team: shop\n", ""),
    ("      signals: [errors, latency]\n", ""),
    ("  joinWindow: 3m\n", ""),
    ("  drain: 45s\n", ""),
    ("            workloads:\n              blue: workers-blue\n              green: workers-green\n", ""),
    ("            signals: [queue, crashes]\n", ""),
)


def again(text: str) -> tuple[Policy, dict[str, object]]:
    """The policy of a text, after the text was written out, and loaded as both kinds of text."""
    document = written_out(text, "policy.yaml")
    assert isinstance(document, dict), document
    plain = json.dumps(document, indent=2)
    policy = good(plain)
    assert good(to_yaml([json.loads(plain)])).digest == policy.digest
    return policy, document


@settings(max_examples=15, deadline=None)
@given(st.sets(st.sampled_from(OTHER)))
def test_it_loads_again_to_the_same_digest(changes: set[tuple[str, str]]) -> None:
    text = RICH
    for old, new in sorted(changes):
        text = text.replace(old, new, 1)
    assert again(text)[0] == good(text)


def test_a_default_without_an_exact_text_is_left_out_and_stays_the_same() -> None:
    text = GOOD + "  window: {automatic: 500s}\n"
    policy, document = again(text)
    assert policy == good(text)
    assert policy.timing.startup == pytest.approx(83.3333, abs=0.001)
    spec = document["spec"]
    assert isinstance(spec, dict)
    assert spec["window"] == {"automatic": "500s", "stabilization": "4m10s", "close": "2h"}


@pytest.mark.parametrize("preset", ["generic", "dubbing-platform"])
def test_a_preset_is_written_out(preset: str) -> None:
    text = PRESET.replace("PRESET", preset)
    policy, document = again(text)
    assert policy == good(text)
    spec = document["spec"]
    assert isinstance(spec, dict)
    assert "preset" not in spec
    assert spec["signals"]["errors"]["levels"]["warning"] == {"above": "1%", "for": "5m"}
    assert spec["signals"]["errors"]["levels"]["rollback"] == {"above": "25%", "for": "5m"}


def test_the_defaults_are_there_in_words_that_people_write() -> None:
    spec = again(GOOD)[1]["spec"]
    assert isinstance(spec, dict)
    assert spec["timing"]["tick"] == "15s"
    assert spec["window"] == {"startup": "5m", "stabilization": "15m", "automatic": "30m", "close": "2h"}
    assert spec["limits"] == {"fleet": {"units": 5, "within": "10m"}, "rollbacks": 2, "within": "1h"}
    assert spec["signals"]["errors"]["minimumTraffic"] == 20


def test_the_deployments_of_a_release_set_are_written_out() -> None:
    spec = again(WITH_SET)[1]["spec"]
    assert isinstance(spec, dict)
    assert (spec["joinWindow"], spec["drain"]) == ("3m", "45s")
    members = spec["watch"][1]["releaseSet"]["members"]
    assert members[0] == {
        "name": "backend",
        "service": "backend-service",
        "workloads": {"blue": "backend-blue", "green": "backend-green"},
    }
    assert members[2]["workloads"] == {"blue": "workers-blue", "green": "workers-green"}
    plain = again(GOOD)[1]["spec"]
    assert isinstance(plain, dict)
    assert (plain["joinWindow"], plain["drain"]) == ("2m", "30s")


@pytest.mark.parametrize("format_", ["yaml", "json"])
def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], format_: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(GOOD)
    assert call(["policy", "show", str(file), "-o", format_]) == 0
    assert good(capsys.readouterr().out).digest == good(GOOD).digest


def test_the_command_says_all_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(changed("kind: ratio", "kind: rato"))
    assert call(["policy", "show", str(file)]) == 1
    assert f"{file}:14:13: `rato`" in capsys.readouterr().err
    assert not isinstance(load(file.read_text(), "x"), Policy)

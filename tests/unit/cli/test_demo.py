"""The demo is the product's real loop on a simulated cluster: what it shows is what happened there."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.cli.main import call

FAST = ("--speed", "1000000")


def played(scenario: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that the demo prints where there is no terminal."""
    assert call(["demo", "--scenario", scenario, "-d", str(directory), *FAST]) == 0
    return capsys.readouterr().out.splitlines()


def moment(lines: list[str], who: str, words: str) -> str:
    """The simulated time of the first line with these words."""
    return next(line[:5] for line in lines if line[7:].startswith(who) and words in line)


def test_a_bad_release_is_undone_beside_a_healthy_one_and_the_report_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = played("errors", tmp_path, capsys)
    assert lines[0].startswith("SIMULATION: no cluster is touched.")
    assert moment(lines, "speech-to-text", "Bad: errors: 1") < moment(lines, "speech-to-text", "Recovered")
    assert moment(lines, "translation", "Healthy") > "30:00"
    assert not any(line[7:].startswith("translation") and "Bad" in line for line in lines)
    (report,) = tmp_path.iterdir()
    assert lines[-1] == f"Incident report: {report}"
    assert "| errors | rollback | 1" in report.read_text()


@pytest.mark.parametrize("scenario", ["crash-loop", "image-pull"])
def test_what_the_cluster_itself_shows_is_undone_in_seconds(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = played(scenario, tmp_path, capsys)
    assert moment(lines, "speech-to-text", "Revision 1 is put back") <= "00:50"


def test_an_outage_is_held_and_not_undone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = played("outage", tmp_path, capsys)
    held = next(line for line in lines if "Hold: " in line)
    assert "bound 10/min" in held
    assert "unchanged workloads too" in held
    assert not any("put back" in line for line in lines)


def test_blind_holds_and_goes_on_when_sight_returns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = played("blind", tmp_path, capsys)
    assert "03:00" < moment(lines, "speech-to-text", "Blind: ") < "05:00"
    assert moment(lines, "speech-to-text", "Revision 1 is put back") > "09:00"


def test_the_same_seed_plays_the_same_story(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert played("crash-loop", tmp_path, capsys) == played("crash-loop", tmp_path, capsys)


def test_an_unknown_scenario_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["demo", "--scenario", "nonsense"]) == 2
    assert "there are: errors, latency" in capsys.readouterr().err

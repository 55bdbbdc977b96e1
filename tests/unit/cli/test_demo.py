"""The demo is the product's real loop on a simulated cluster: what it shows is what happened there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console, RenderableType

from rollguard.cli.demo.picture import Moment
from rollguard.cli.demo.scenarios import SCENARIOS, Scenario
from rollguard.cli.demo.screen import BANNER, Lines, Picture
from rollguard.cli.main import call
from rollguard.model.action import StepState

FAST = ("--speed", "1000000")


def played(scenario: str, directory: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that the demo prints where there is no terminal."""
    assert call(["demo", "--scenario", scenario, "-d", str(directory), *FAST]) == 0
    return capsys.readouterr().out.splitlines()


def moment(lines: list[str], who: str, words: str) -> str:
    """The simulated time of the first line with these words."""
    return next(line[:5] for line in lines if line[7:].startswith(who) and words in line)


@dataclass(frozen=True, slots=True, kw_only=True)
class MainStory:
    """What is printed of it, what is drawn, and the incident's report."""

    lines: list[str]
    drawn: list[str]
    report: Path


class Pictures:
    """The plain lines, and the live screen in two sizes: when the Services are back but steps go on, and at the end."""

    def __init__(self, scenario: Scenario) -> None:
        self.drawn: list[str] = []
        self.pictures = [self._picture(scenario, columns, lines) for columns, lines in ((80, 24), (120, 40))]
        self.acting = False
        self.lines = Lines()

    def _picture(self, scenario: Scenario, columns: int, lines: int) -> Picture:
        console = Console(file=StringIO(), force_terminal=True, width=columns, height=lines, color_system=None)

        def update(shown: RenderableType) -> None:
            found = console.render_lines(shown, pad=False)
            assert len(found) < lines
            self.drawn.append("\n".join("".join(part.text for part in line).rstrip() for line in found))

        return Picture(console, scenario, BANNER.format(speed=60, slow=6), update)

    def tell(self, at: float, who: str, kind: str, text: str) -> None:
        self.lines.tell(at, who, kind, text)
        for picture in self.pictures:
            picture.tell(at, who, kind, text)

    def show(self, moment: Moment) -> None:
        plan = moment.rollouts["dubbing"].plan if "dubbing" in moment.rollouts else None
        half = plan is not None and plan.steps[4].state is StepState.DONE and not plan.done
        if (half and not self.acting) or moment.now == SCENARIOS["blue-green"].seconds:
            self.acting = True
            for picture in self.pictures:
                picture.show(moment)


@pytest.fixture(scope="module")
def main_story(tmp_path_factory: pytest.TempPathFactory) -> MainStory:
    """The main story as it is told in lines, on the screen and in the report; played once."""
    directory, pictures = tmp_path_factory.mktemp("incidents"), Pictures(SCENARIOS["blue-green"])

    @contextmanager
    def screen(_scenario: Scenario, _speed: float, _slow: float) -> Iterator[Pictures]:
        yield pictures

    said = StringIO()
    with patch("rollguard.cli.demo.show.screen", screen), redirect_stdout(said):
        assert call(["demo", "-d", str(directory), *FAST]) == 0
    (report,) = directory.iterdir()
    return MainStory(lines=said.getvalue().splitlines(), drawn=pictures.drawn, report=report)


def test_a_release_set_goes_back_to_blue_beside_a_healthy_release(main_story: MainStory) -> None:
    lines = main_story.lines
    steps = [line for line in lines if line[7:].startswith("dubbing") and "Step " in line and ") done: " in line]
    kinds = [line.partition("(")[2].partition(" ")[0] for line in steps]
    assert kinds == ["scale"] * 3 + ["switch"] * 2 + ["scale"] * 3
    assert [line.partition(" up to ")[2][:1] for line in steps[:3]] == ["3", "3", "5"]
    assert all("-green down to 0)" in line for line in steps[5:])
    assert moment(lines, "-", "users see 1") < moment(lines, "dubbing", "Bad: backend: errors: 1")
    assert moment(lines, "dubbing", "Blue serves again") <= moment(lines, "dubbing", "Recovered: backend: errors: 0")
    assert moment(lines, "-", "errors in backend: as before") < moment(lines, "dubbing", "Recovered")
    assert moment(lines, "translation", "Healthy") > "30:00"
    assert lines[-1] == f"Incident report: {main_story.report}"
    assert "decided after 5m" in lines[-2]
    assert "| Member workers | from blue (revision 1: " in main_story.report.read_text()


def test_in_a_terminal_the_screen_tells_the_colours_the_pods_what_users_see_and_the_steps(
    main_story: MainStory,
) -> None:
    acting, end = main_story.drawn[:2], main_story.drawn[2:]
    for text in (*acting, *end):
        assert "SIMULATION: no cluster is touched. Time runs 60x, and 6x while the guard acts." in text
        assert all(len(line) <= 120 for line in text.splitlines())
        assert "backend-service -> blue" in text
        assert "✓ 5. switch frontend-service to blue" in text
    for text in acting:
        assert "verdict bad, acting" in text
        assert text.count("3 ready, v1") == text.count("3 ready, v2") == 2
        assert "· 8. scale workers-green down to 0" in text
    for text in end:
        assert "Release set dubbing: blue -> green, verdict bad, recovered" in text
        assert "✓ 8. scale workers-green down to 0" in text
        assert text.count("3 ready, v1") == 2
        assert "ready, v2" not in text
        assert text.splitlines()[-1].startswith("simulated time 33:00 of 33:00")


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
    assert "there are: blue-green, errors, latency" in capsys.readouterr().err

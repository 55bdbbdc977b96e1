"""What `--help` says: of a command all that its docstring says, of many a line each."""

from __future__ import annotations

import pytest

from rollguard.cli.main import COMMANDS, call


def said(*command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The help of a command, in one line."""
    assert call([*command, "--help"]) == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("wait",), "Exit codes of its own: 0 healthy"),
        (("notify", "test"), "A test of PagerDuty opens an incident, which calls whoever is on call"),
        (("ack",), "It is not repeated, and nobody else is paged for it."),
        (("investigate",), "approve or reject still answer it."),
        (("ticket",), "it is updated with the rollout, never doubled."),
        (("incident", "resolve"), "where the guard has not seen the recovery itself."),
        (("incident", "show"), "INCIDENT Its id as `incident list` prints it"),
    ],
)
def test_a_commands_own_help_is_whole(command: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in said(*command, capsys=capsys)


def test_the_list_of_commands_has_a_line_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys=capsys)
    assert all(name in found for name in COMMANDS)
    assert COMMANDS["wait"][1] in found
    assert "it is updated with the rollout" not in found


def test_a_paragraph_is_broken_by_the_width_of_the_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert call(["wait", "--help"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("Exit codes of its own"))
    assert line.rstrip().endswith("the cluster does not answer.")

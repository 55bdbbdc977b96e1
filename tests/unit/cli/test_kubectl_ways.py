"""What kubectl users expect: namespaces, contexts, formats, headers, completion, colours."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from rollguard.cli import exits, lookup, output, status, watch
from rollguard.cli.connect import Connection, Session, session
from rollguard.cli.main import COMMANDS, GROUPS, call
from rollguard.model.names import WorkloadKind, WorkloadName
from rollguard.model.policy import Mode
from rollguard.model.records import LifecycleState, Outcome, UnitRecord
from tests.unit.cli.stories import NOW, observed, unit, watched


def kubeconfig(path: Path, namespace: str) -> Path:
    context = {"cluster": "c", "user": "u", **({"namespace": namespace} if namespace else {})}
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": context}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    }
    path.write_text(json.dumps(document))
    return path


def within(connection: Connection, look: Callable[[Session], object]) -> object:
    async def opened() -> object:
        async with session(connection) as there:
            return look(there)

    return asyncio.run(opened())


@pytest.mark.parametrize(
    ("context", "flag", "everywhere", "looked_at"),
    [
        ("", "", False, ""),
        ("shop", "", False, "shop"),
        ("shop", "", True, ""),
        ("shop", "other", False, "other"),
        ("", "other", False, "other"),
        ("shop", "other", True, ""),
    ],
)
def test_commands_look_at_the_contexts_namespace_where_it_names_one(
    tmp_path: Path, context: str, flag: str, everywhere: bool, looked_at: str
) -> None:
    connection = Connection(
        kubeconfig=kubeconfig(tmp_path / "config", context), namespace=flag, all_namespaces=everywhere
    )
    assert within(connection, lambda opened: opened.namespace) == looked_at


@pytest.mark.parametrize(
    ("context", "flag", "text", "namespace"),
    [
        ("", "", "api", "default"),
        ("shop", "", "api", "shop"),
        ("shop", "other", "api", "other"),
        ("shop", "", "production/api", "production"),
    ],
)
def test_a_name_without_a_namespace_is_in_the_one_at_hand_as_kubectl_has_it(
    tmp_path: Path, context: str, flag: str, text: str, namespace: str
) -> None:
    connection = Connection(kubeconfig=kubeconfig(tmp_path / "config", context), namespace=flag)
    found = within(connection, lambda opened: lookup.workload_named(text, opened))
    assert found == WorkloadName(namespace, WorkloadKind.DEPLOYMENT, "api")


def test_a_name_that_is_none_says_what_was_expected(tmp_path: Path) -> None:
    connection = Connection(kubeconfig=kubeconfig(tmp_path / "config", ""))
    with pytest.raises(
        exits.CommandError, match="expected a rollout's name, NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD"
    ) as refused:
        within(connection, lambda opened: lookup.workload_named("a/b/c", opened))
    assert refused.value.code == exits.USAGE


def test_an_argument_with_a_namespace_needs_no_rights_in_others() -> None:
    everywhere = Connection(all_namespaces=True)
    assert lookup.scoped(everywhere, "production/api") == Connection(namespace="production")
    assert lookup.scoped(everywhere, "api-r2-abc-1") == everywhere


def test_yaml_is_the_same_document_as_json() -> None:
    text = output.as_object(name="on", count=2, missing=None, reason='a "b": c\nd')
    assert yaml.safe_load(output.document(text, output.Format.YAML)) == json.loads(text)
    assert output.document(text, output.Format.JSON) == text


def observing() -> UnitRecord:
    return unit(mode=Mode.OBSERVE, current_rollout=observed().id)


@pytest.mark.parametrize("command", [("policy", "show", "p.yaml"), ("install", "--print", "--definitions-only")])
def test_what_is_a_document_has_no_table(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*command, "-o", "wide"]) == exits.USAGE
    assert "expected yaml or json" in capsys.readouterr().err


def test_status_in_mode_observe_says_what_would_have_been_done_also_when_it_is_well_again() -> None:
    well = watched(id=observed().id, mode=Mode.OBSERVE, responses=observed().responses, why="nothing is reached")
    text = status.page([observing()], {str(well.unit): well}, NOW)
    assert "would have rolled back at 2026-11-03T02:05:30Z, because error-rate" in text
    wide = status.page([observing()], {str(well.unit): well}, NOW, status.Shown(wide=True))
    assert wide.splitlines()[1].endswith("; now: nothing is reached")
    over = status.page([unit()], {str(well.unit): observed()}, NOW)
    row = over.splitlines()[1]
    assert "steady" in row
    assert ": would have rolled back at 2026-11-03T02:05:30Z" in row
    assert "ago" not in row


def test_status_says_that_a_version_was_put_back_by_hand() -> None:
    by_hand = replace(observed(), outcome=Outcome.PUT_BACK, why="revision 4 was put back by hand")
    rows = status.page([unit()], {str(by_hand.unit): by_hand}, NOW).splitlines()
    assert ": would have rolled back at 2026-11-03T02:05:30Z" in rows[1]
    plain = replace(by_hand, responses=())
    assert status.page([unit()], {str(by_hand.unit): plain}, NOW).endswith(
        "revision 5, 2026-11-03T02:55:00Z: put back by hand"
    )


def test_status_without_headers_and_wide() -> None:
    rollouts = {str(unit().name): watched()}
    open_unit = unit(current_rollout=watched().id)
    bare = status.page([open_unit], rollouts, NOW, status.Shown(headers=False))
    assert bare.startswith("production")
    header = status.page([open_unit], rollouts, NOW, status.Shown(wide=True)).splitlines()[0]
    assert header.split()[-5:] == ["OWNERS", "ROLLOUT", "IMAGES", "POLICY", "WHY"]
    for of in (open_unit, unit()):
        owned = replace(of, owners=("Helm shop/api", "Argo CD argocd/shop"))
        row = status.page([owned], rollouts, NOW, status.Shown(wide=True)).splitlines()[1]
        assert "   Helm shop/api, Argo CD argocd/shop   " in row


def test_a_table_is_cut_to_the_terminal_only_and_wide_never(monkeypatch: pytest.MonkeyPatch) -> None:
    long = watched(why="because " * 40)
    rollouts, units = {str(unit().name): long}, [unit(current_rollout=long.id)]
    assert status.page(units, rollouts, NOW).splitlines()[1].endswith(long.why.rstrip())
    cut = status.page(units, rollouts, NOW, status.Shown(within=150)).splitlines()[1]
    assert len(cut) == 150
    assert cut.endswith("…")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "97")
    assert output.width(output.Format.TABLE) == 97
    assert output.width(output.Format.WIDE) is None
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert output.width(output.Format.TABLE) is None


def test_a_question_stands_in_status_with_its_deadline_and_the_command_that_answers_it() -> None:
    asked = watched(state=LifecycleState.AWAITING_APPROVAL, asked_until=NOW.plus(600))
    text = status.page([unit(current_rollout=asked.id)], {str(unit().name): asked}, NOW)
    assert text.splitlines()[-1] == (
        "! production/translation: roll back? until 2026-11-03T03:10:00Z:"
        ' `rollguard approve production/translation --reason "..."` (or reject)'
    )
    assert "roll back?" not in status.page([unit(current_rollout=asked.id)], {str(unit().name): watched()}, NOW)


def test_an_empty_namespace_says_how_to_look_at_all() -> None:
    assert "in the namespace shop (`-A` looks at all)" in status.page([], {}, NOW, status.Shown(namespace="shop"))


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [status.row(unit(current_rollout=watched().id), watched(), NOW)]

    def shown() -> str:
        console = Console(force_terminal=True, width=200)
        with console.capture() as captured:
            console.print(watch.coloured([(*rows[0][:5], "bad", *rows[0][6:])]))
        return captured.get()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in shown()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in shown()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_is_completed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in (*COMMANDS, *GROUPS))
    assert "all-namespaces" in script


def test_the_completion_of_bash_is_read_by_bash(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["completion", "bash"]) == 0
    read = subprocess.run(["bash", "-n"], input=capsys.readouterr().out, text=True, check=False, capture_output=True)
    assert (read.returncode, read.stderr) == (0, "")


def test_an_unknown_shell_is_wrong_usage() -> None:
    assert call(["completion", "tcsh"]) == 2


def test_help_imports_no_command() -> None:
    code = "import sys; from rollguard.cli.main import call; call(['--help']);"
    code += "sys.stderr.write(' '.join(m for m in sys.modules if m.startswith('rollguard.')))"
    done = subprocess.run([sys.executable, "-c", code], text=True, check=True, capture_output=True)
    assert sorted(done.stderr.split()) == ["rollguard.cli", "rollguard.cli.exits", "rollguard.cli.main"]

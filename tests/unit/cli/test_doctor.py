"""What `rollguard doctor` prints and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rollguard.cli import doctor, exits, output
from rollguard.cli.connect import Connection
from rollguard.doctor import Check, State, examine, together
from rollguard.model.action import Unknown
from tests.unit.doctor.building import TEXT, facts, namespace, store

SOUND = examine(facts())


def one(state: State, do: str = "mend it") -> Check:
    return Check(group="g", name="n", subject="s", state=state, found="f", what_to_do=do)


def test_a_table_is_grouped_and_aligned_and_ends_with_a_sum() -> None:
    lines = [line.plain for line in doctor.page([*SOUND, one(State.FAILED)])]
    assert lines[0] == "CLUSTER"
    assert lines[1].split() == ["ok", "version", "API", "server", "v1.36.0"]
    failed = next(line for line in lines if line.startswith("  failed"))
    column = failed.index(" n ") + 1
    assert {line[column - 1] for line in lines if line.startswith("  ok")} == {" "}
    assert lines[lines.index(failed) + 1].strip() == "-> mend it"
    assert lines[-1].startswith(f"1 failed, {len(SOUND)} ok: the guard does not work")


def seen(signal: str, workload: str, found: str = "no value yet") -> Check:
    return replace(one(State.WARNING, "look again later"), subject=f"{signal} of {workload}", found=found)


def test_what_is_found_of_many_signals_and_workloads_is_one_line() -> None:
    young = [seen(signal, workload) for signal in ("a", "b", "c", "d") for workload in ("shop/api", "shop/worker")]
    lines = [line.plain for line in doctor.page([*young, seen("a", "shop/web", "blind")])]
    assert [line.split("n  ", 1)[1] for line in lines if line.startswith("  warning")] == [
        "4 signals of shop/api, worker  no value yet",
        "a of shop/web                  blind",
    ]
    assert sum("look again later" in line for line in lines) == 2
    assert lines[-1].startswith("9 warning:")


def test_where_not_every_signal_is_concerned_each_is_named() -> None:
    (both,) = together([seen("a", "shop/api"), seen("b", "shop/worker")])
    assert both.subject == "a of shop/api, b of shop/worker"
    (few,) = together([seen("a", "shop/api"), seen("b", "shop/api")])
    assert few.subject == "a, b of shop/api"
    (many,) = together([seen("a", f"shop/w{n}") for n in range(9)])
    assert many.subject == "a of shop/w0, w1, w2 and 6 more"
    (apart,) = together([seen("a", "shop/api"), seen("a", "shop/web"), seen("a", "till/api")])
    assert apart.subject == "a of shop/api, web, till/api"
    assert len(together([one(State.OK, ""), replace(one(State.OK, ""), subject="t")])) == 2


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.FAILED, "does not work"),
        (State.UNKNOWN, "not everything could be looked at"),
        (State.WARNING, "the guard works; the warnings"),
        (State.OK, "the guard works here"),
    ],
)
def test_the_sum_says_what_the_worst_means(state: State, words: str) -> None:
    assert words in doctor.summary([one(State.OK, ""), one(state)])


def test_it_is_plain_text_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.show([one(State.FAILED)], output.Format.TABLE)
    assert "\x1b[" not in capsys.readouterr().out


def test_no_color_is_obeyed_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    doctor.show([one(State.FAILED)], output.Format.TABLE)
    assert "\x1b[1;31m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    doctor.show([one(State.FAILED)], output.Format.TABLE)
    assert "31m" not in capsys.readouterr().out


def test_json_has_the_sum_and_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.show([*SOUND, one(State.UNKNOWN)], output.Format.JSON)
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {"failed": 0, "unknown": 1, "warning": 0, "ok": len(SOUND)}
    assert {check["unit"] for check in document["checks"]} == {None, "production/translation"}
    assert document["checks"][-1] == {
        "group": "g",
        "name": "n",
        "subject": "s",
        "state": "unknown",
        "found": "f",
        "what_to_do": "mend it",
        "unit": None,
    }


def test_only_what_failed_ends_it_with_a_problem() -> None:
    assert doctor.code([one(State.WARNING), one(State.UNKNOWN)]) == exits.OK
    assert doctor.code([one(State.FAILED)]) == exits.PROBLEM


def test_who_could_look_at_nothing_is_not_told_that_all_is_well() -> None:
    refused = Unknown(detail="403 Forbidden")
    sound = facts()
    rights = tuple(replace(each, allowed=refused) for each in sound.rights.answers)
    nothing = replace(
        sound,
        rights=replace(sound.rights, answers=rights),
        namespaces=(namespace(workloads=refused),),
        store=store(problem="no address"),
    )
    assert doctor.blind(nothing)
    assert not doctor.blind(sound)
    assert not doctor.blind(replace(nothing, store=store()))
    assert not doctor.blind(replace(nothing, namespaces=(namespace(),)))


def test_a_cluster_that_does_not_answer_is_an_end_of_its_own(tmp_path: Path) -> None:
    policy, config = tmp_path / "policy.yaml", tmp_path / "config"
    policy.write_text(TEXT.replace("hooks.example.com", "127.0.0.1:9").replace("prometheus.example.com", "127.0.0.1"))
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],"
        " clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}], users: [{name: a, user: {}}]}"
    )
    connection = Connection(kubeconfig=config)
    with pytest.raises(exits.CommandError, match="the cluster did not answer") as ended:
        doctor.doctor(policy=policy, connection=connection)
    assert ended.value.code == exits.UNREACHABLE


def test_a_policy_with_mistakes_is_no_matter_for_the_cluster(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(TEXT.replace("kind: ratio", "kind: rato"))
    with pytest.raises(exits.CommandError, match=r"policy\.yaml has") as ended:
        doctor.doctor(policy=policy)
    assert ended.value.code == exits.USAGE

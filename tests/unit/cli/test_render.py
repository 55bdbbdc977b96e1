"""`rollguard render`: only what is ours is written or removed, whole or not at all, and drift is told."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from rollguard.adapters.rendered import LIST, bring, standing
from rollguard.cli.main import call
from rollguard.render.file import File

POLICY = Path(__file__).parents[3] / "examples" / "dubbing-platform" / "policy.yaml"
AUTOMATION = "rollback-automation.yaml"


def tree(folder: Path) -> dict[str, str]:
    """Every file below the folder with its text."""
    return {str(each.relative_to(folder)): each.read_text() for each in sorted(folder.rglob("*")) if each.is_file()}


def files(**texts: str) -> list[File]:
    return [File(path=path.replace("__", "/"), text=text) for path, text in texts.items()]


def put(folder: Path, **texts: str) -> None:
    bring(folder, standing(folder, files(**texts)))


def test_the_same_policy_gives_the_same_files_and_a_second_time_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        assert call(["render", str(POLICY), "-o", str(tmp_path / name)]) == 0
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert AUTOMATION in tree(tmp_path / "a")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    capsys.readouterr()
    assert call(["render", str(POLICY), "-o", str(tmp_path / "a")]) == 0
    assert " 0 written" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    assert call(["render", str(POLICY), "-o", str(tmp_path / "a"), "--check"]) == 0


def test_the_list_of_files_is_what_sha256sum_reads(tmp_path: Path) -> None:
    put(tmp_path / "out", b__c="two\n", a="one\n")
    lines = [f"{hashlib.sha256(text).hexdigest()}  {path}\n" for path, text in (("a", b"one\n"), ("b/c", b"two\n"))]
    assert (tmp_path / "out" / LIST).read_text() == "".join(lines)


def test_check_shows_what_drifted_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert call(["render", str(POLICY), "-o", str(out)]) == 0
    changed = tmp_path / "policy.yaml"
    changed.write_text(POLICY.read_text().replace("mode: automatic", "mode: approve", 1))
    before = tree(out)
    capsys.readouterr()
    assert call(["render", str(changed), "-o", str(out), "--check"]) == 1
    said = capsys.readouterr()
    assert f"--- {out / AUTOMATION}" in said.out
    assert "-      mode: automatic" in said.out
    assert "+      mode: approve" in said.out
    assert "has drifted from the policy" in said.err
    assert tree(out) == before
    missing = tmp_path / "none"
    assert call(["render", str(POLICY), "-o", str(missing), "--check"]) == 1
    assert "--- /dev/null" in capsys.readouterr().out
    assert not missing.exists()


def test_what_is_not_rendered_any_more_goes_with_its_folder_unless_it_was_edited(tmp_path: Path) -> None:
    put(tmp_path, a="one\n", old__gone="two\n", old__edited="three\n", other__gone="four\n")
    (tmp_path / "old" / "edited").write_text("by hand\n")
    found = standing(tmp_path, files(a="one\n"))
    bring(tmp_path, found)
    assert set(tree(tmp_path)) == {"a", "old/edited", LIST}
    assert not (tmp_path / "other").exists()
    assert standing(tmp_path, files(a="one\n")).foreign == ("old/",)


def test_an_edited_file_of_ours_is_written_anew_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["render", str(POLICY), "-o", str(tmp_path)]) == 0
    good = tree(tmp_path)
    (tmp_path / AUTOMATION).write_text("by hand\n")
    assert call(["render", str(POLICY), "-o", str(tmp_path)]) == 0
    assert f"{AUTOMATION}: written anew over what was edited by hand" in capsys.readouterr().out
    assert tree(tmp_path) == good


def test_foreign_files_are_named_and_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "inner").write_text("mine too\n")
    assert call(["render", str(POLICY), "-o", str(tmp_path)]) == 0
    assert "left alone, not rendered by Rollguard: more/, notes.txt" in capsys.readouterr().err
    assert call(["render", str(POLICY), "-o", str(tmp_path), "--check"]) == 0
    assert tree(tmp_path)["notes.txt"] == "mine\n"
    assert tree(tmp_path)["more/inner"] == "mine too\n"


def test_a_foreign_folder_is_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "more" / "inner").mkdir(parents=True)
    (tmp_path / "ours" / "theirs" / "deep").mkdir(parents=True)
    (tmp_path / "ours" / "a").write_text("one\n")
    seen: list[str] = []
    scandir = os.scandir

    def told(path: str | Path = ".") -> object:
        seen.append(Path(path).relative_to(tmp_path).as_posix())
        return scandir(path)

    monkeypatch.setattr(os, "scandir", told)
    found = standing(tmp_path, files(**{"ours/a": "one\n"}))
    assert found.foreign == ("more/", "ours/theirs/")
    assert set(seen) == {".", "ours"}


def test_a_foreign_file_in_the_way_is_never_overwritten_and_nothing_else_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / AUTOMATION).write_text("mine\n")
    assert call(["render", str(POLICY), "-o", str(tmp_path)]) == 1
    assert str(tmp_path / AUTOMATION) in capsys.readouterr().err
    assert tree(tmp_path) == {AUTOMATION: "mine\n"}
    assert call(["render", str(POLICY), "-o", str(tmp_path), "--check"]) == 1
    assert "was not rendered by Rollguard" in capsys.readouterr().err


def test_a_file_that_is_as_it_would_be_rendered_becomes_ours(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\n")
    put(tmp_path, a="one\n")
    put(tmp_path, a="two\n")
    assert tree(tmp_path)["a"] == "two\n"


def test_nothing_is_written_through_a_link_or_into_a_file(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "rules").symlink_to(elsewhere)
    (out / "pages").write_text("a file\n")
    found = standing(out, files(rules__a="one\n", pages__b="two\n"))
    assert found.in_the_way == ("pages", "rules")
    assert list(elsewhere.iterdir()) == []


def test_a_list_that_names_files_outside_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    out = tmp_path / "out"
    out.mkdir()
    digest = hashlib.sha256(victim.read_bytes()).hexdigest()
    for path in ("../victim", str(victim), "a/../../victim", "", LIST):
        (out / LIST).write_text(f"{digest}  {path}\n")
        assert call(["render", str(POLICY), "-o", str(out)]) == 2
        assert f"{LIST}:1:" in capsys.readouterr().err
    assert victim.read_text() == "mine\n"
    assert set(tree(out)) == {LIST}


def test_a_rendering_that_is_broken_off_leaves_whole_files_and_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = {"a": "one\n", "b": "one\n", "gone": "one\n"}, {"a": "two\n", "b": "two\n", "c": "two\n"}
    put(tmp_path, **old)
    real, left = Path.replace, [1, 2]

    def replace(self: Path, target: Path) -> Path:
        if not left:
            raise OSError("no space")
        left.pop()
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        with pytest.raises(OSError, match="no space"):
            put(tmp_path, **new)
    now = tree(tmp_path)
    assert {path: text for path, text in now.items() if path != LIST} == {**old, "a": "two\n"}
    put(tmp_path, **new)
    assert {path: text for path, text in tree(tmp_path).items() if path != LIST} == new


def test_a_new_directory_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_bytes(self: Path, data: bytes) -> int:
        raise OSError("no space")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", write_bytes)
        with pytest.raises(OSError, match="no space"):
            put(tmp_path / "out", a="one\n")
    assert list(tmp_path.iterdir()) == []


def test_a_bad_policy_renders_nothing_and_tells_all_its_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "policy.yaml"
    bad.write_text(POLICY.read_text().replace("mode: automatic", "mode: brave", 1).replace("drain: 30s", "drain: soon"))
    assert call(["render", str(bad), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "has 2 mistakes" in said
    assert "brave" in said
    assert "soon" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("directory", ["policy.yaml", "policy.yaml/deeper"])
def test_a_directory_that_cannot_be_one_is_named(
    directory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.read_text())
    assert call(["render", str(POLICY), "-o", str(tmp_path / directory)]) == 2
    assert "cannot render into" in capsys.readouterr().err
    assert set(tree(tmp_path)) == {"policy.yaml"}


def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_bytes(self: Path, data: bytes) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", write_bytes)
        with pytest.raises(SystemExit) as ended:
            call(["render", str(POLICY), "-o", str(tmp_path / "out")])
    assert ended.value.code == 130
    assert list(tmp_path.iterdir()) == []

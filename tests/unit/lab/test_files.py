"""A file that is written anew while others read it."""

from __future__ import annotations

from pathlib import Path

from lab.files import write_whole


def test_who_has_the_old_file_open_reads_the_old_text_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "config"
    write_whole(file, "the old text", mode=0o600)
    with file.open() as reader:
        write_whole(file, "the new one", mode=0o600)
        assert reader.read() == "the old text"
    assert file.read_text() == "the new one"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["config"]

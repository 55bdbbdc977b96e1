"""Where the journal is, in the text of a policy."""

from __future__ import annotations

import pytest

from rollguard.model.destinations import JournalKind, JournalPlace
from rollguard.policy.remarks import remarks
from tests.unit.policy.texts import GOOD, added, good, only


def test_without_a_word_the_log_alone_keeps_every_line() -> None:
    assert good(GOOD).journal is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("postgres: {}", JournalPlace(kind=JournalKind.POSTGRES)),
        ("sqlite: {}", JournalPlace(kind=JournalKind.SQLITE, path="/var/lib/rollguard/journal.db")),
        ("sqlite: {path: /data/journal.db}", JournalPlace(kind=JournalKind.SQLITE, path="/data/journal.db")),
    ],
)
def test_it_is_a_database_or_a_file(text: str, place: JournalPlace) -> None:
    assert good(added(f"journal: {{{text}}}")).journal == place


@pytest.mark.parametrize("text", ["", "postgres: {}, sqlite: {}"])
def test_it_is_one_of_the_two(text: str) -> None:
    assert "expected either `postgres: {}` or `sqlite: {}`" in only(added(f"journal: {{{text}}}"))


@pytest.mark.parametrize(
    "path",
    [
        *("/journal.db", "/tmp/journal.db", "/etc/rollguard/journal.db", "/var/run/secrets/rollguard/x.db"),
        *("/proc/self/x.db", "/data/../etc/journal.db"),
    ],
)
def test_no_volume_is_mounted_over_what_the_guard_needs(path: str) -> None:
    assert "in a folder of its own" in only(added(f"journal: {{sqlite: {{path: {path}}}}}"))


def test_a_relative_path_and_a_password_in_the_policy_are_mistakes() -> None:
    assert "the absolute path of a file" in only(added("journal: {sqlite: {path: journal.db}}"))
    for key in ("dsn", "password"):
        said = only(added(f"journal: {{postgres: {{{key}: 'postgresql://u:p4ss@db/x'}}}}"))
        assert f"`{key}`: expected no key here" in said
        assert "the key `journal-dsn` of the Secret" in said
        assert "p4ss" not in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("journal: {postgres: {}}", 1),
        ("journal: {postgres: {}}\n  notify: {secrets: [journal-dsn]}", 0),
        ("journal: {sqlite: {}}", 0),
    ],
)
def test_a_database_whose_key_is_not_named_is_remarked_on(more: str, said: int) -> None:
    text = added(more)
    found = remarks(good(text), text, "policy.yaml")
    assert len(found) == said
    assert all("`journal-dsn` among `notify.secrets`" in each.expected and each.line > 1 for each in found)

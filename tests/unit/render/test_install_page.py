"""docs/install.md tells of every right that the guard may ask for, with its reason, and of no other."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.render import PEOPLE

PAGE = Path(__file__).parents[3] / "docs" / "install.md"
BEGIN, END = "<!-- rights: kept equal to the code by `make golden` -->\n", "<!-- end of rights -->"


def table() -> str:
    """The declarations as a table: resources with the same reason, place and condition in one row."""
    rows: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    declared: list[tuple[Right, str]] = [(right, "always") for right in rights.CONTROLLER]
    declared += [(right, each.when) for each in rights.EXTRA for right in each.rights]
    declared += [(right, "not with `--namespaced`") for right in rights.METRICS]
    for right, when in declared:
        group = f".{right.group}" if right.group else ""
        rows[f"`{right.resource}{group}`", right.why, right.scope.value, when].append(right.verb)
    lines = [
        f"| {resource} | {', '.join(verbs)} | {why} | {where} | {when} |"
        for (resource, why, where, when), verbs in rows.items()
    ]
    return "\n".join(["| resource | verbs | why | where | when |", "|---|---|---|---|---|", *lines]) + "\n"


@pytest.mark.golden
def test_the_page_lists_exactly_the_declared_rights(renew_golden: bool) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    told, _, after = rest.partition(END)
    if renew_golden:
        PAGE.write_text(f"{before}{BEGIN}{table()}{END}{after}")
        told = table()
    assert told == table(), "renew by `make golden`"


def test_the_page_names_every_role_for_people_with_what_it_is_for() -> None:
    text = PAGE.read_text()
    for each in PEOPLE:
        assert f"| `{each.name}` | {each.about} |" in text

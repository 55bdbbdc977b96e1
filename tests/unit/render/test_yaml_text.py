"""YAML that YAML 1.1 and 1.2 readers read alike, and give back exactly."""

from __future__ import annotations

import io

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rollguard.model.documents import Json
from rollguard.render import to_yaml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "on",
        "0644",
        "1e3",
        "~",
        "null",
        "a\nb",
        "a\nb\n",
        " a\nb",
        "a\n\n b\n\n",
        "a: b\n# c\n",
        "\t\nx",
        "2026-11-27",
        "",
    ]
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_both_kinds_of_reader_get_back_what_was_written(value: Json) -> None:
    text = to_yaml([value])
    assert yaml.safe_load(text) == value
    assert YAML(typ="safe", pure=True).load(io.StringIO(text)) == value


def test_a_word_of_yaml_1_1_stays_a_string() -> None:
    assert to_yaml([{"guard": "off", "on": "0644"}]) == '---\nguard: "off"\n"on": "0644"\n'


def test_a_text_of_several_lines_stays_readable() -> None:
    assert to_yaml([{"data": {"policy.yaml": "a: 1\n\nb: 2\n"}}]) == (
        "---\ndata:\n  policy.yaml: |\n    a: 1\n\n    b: 2\n"
    )


def test_lists_and_empty_things() -> None:
    assert to_yaml([{"a": [{"b": 1, "c": []}, {}], "d": [[True, None]]}]) == (
        "---\na:\n  - b: 1\n    c: []\n  - {}\nd:\n  - - true\n    - null\n"
    )


def test_a_very_small_number_is_written_without_an_exponent() -> None:
    assert to_yaml([{"above": 0.00001}]) == "---\nabove: 0.00001\n"

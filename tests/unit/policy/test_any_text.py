"""No text makes the policy's reader fail: the answer is a policy or mistakes with places in the text."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.policy import fuzz
from tests.unit.policy.texts import GOOD

LINES = GOOD.splitlines(keepends=True)
YAML_SIGNS = st.text(alphabet="ab:{}[],&*!|>'\"%@`#-? \n\t0.~<\\", max_size=40)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)


def check(text: str) -> None:
    assert fuzz.check(text) == ""


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
@example("\x00")
@example("\ud800")
@example("%YAML 9.9\n---\na")
@example("%TAG ! !\n---\n!x")
@example('"\\ud800": 1')
@example("? [a]\n: b")
@example("!!int x: y")
@example("a: !!python/object:os.system x")
def test_any_text(text: str) -> None:
    check(text)


def test_aliases_of_aliases_take_no_time() -> None:
    rows = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join(f'*a{n - 1}' for _ in range(9))}]" for n in range(1, 60))]
    check("\n".join(rows) + "\nspec: {watch: *a59, signals: *a59, preset: generic, mode: *a59}\n")


@settings(max_examples=250, deadline=None)
@given(YAML_SIGNS)
def test_any_heap_of_yaml_signs(text: str) -> None:
    check(text)


@settings(max_examples=250, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 12), YAML_SIGNS)
def test_a_policy_with_a_piece_replaced(start: int, length: int, piece: str) -> None:
    check(GOOD[:start] + piece + GOOD[start + length :])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, len(LINES) - 1), max_size=30))
def test_a_policys_lines_in_any_order(order: list[int]) -> None:
    check("".join(LINES[index] for index in order))


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(
        ["10%", "5m", "ratio", "production", "[web, api]", "http://prometheus:9090", "http_requests_total\n"]
    ),
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=4), SCALARS, max_size=2),
)
def test_a_policy_with_a_value_of_any_kind(old: str, value: object) -> None:
    check(GOOD.replace(old, repr(value) + ("\n" if old.endswith("\n") else ""), 1))


@pytest.mark.parametrize("first", range(0, 1000, 500))
def test_policies_that_had_accidents(first: int) -> None:
    assert fuzz.main(first, first + 500) == 0

"""More matchers go into every selector of an expression, and into nothing else."""

from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollguard.policy.promql import (
    Matcher,
    narrowed,
    problem_of_expression,
    problem_of_matchers,
    problem_of_selector,
    selectors,
)

POD = Matcher("pod", "=~", "(a|b\\.c)-.*")
ADDED = 'pod=~"(a|b\\\\.c)-.*"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up", "up{+}"),
        ("up{}", "up{+}"),
        (' up { a = "b" , } ', ' up {a="b",+} '),
        ('{__name__="a"}', '{__name__="a",+}'),
        ('up{a="b\\"c}\\\\d"}', 'up{a="b\\"c}\\\\d",+}'),
        ("up{a='}'}", "up{a='}',+}"),
        ('up{ # a } in words\n a="b" # x\n}', 'up{a="b",+}'),
        ("rate(up[5m])", "rate(up{+}[5m])"),
        ("up offset 5m", "up{+} offset 5m"),
        ("a:b:c and on (x) d_e", "a:b:c{+} and on (x) d_e{+}"),
        ("sum(x) by (y)", "sum(x{+}) by (y)"),
        (
            "sum by (y) (x) / on (y) group_left (z) max(b) > bool 0",
            "sum by (y) (x{+}) / on (y) group_left (z) max(b{+}) > bool 0",
        ),
        ("time() - max_over_time(x[1h:5m])", "time() - max_over_time(x{+}[1h:5m])"),
        ('label_replace(x, "a", "$1", "b", "y{z}")', 'label_replace(x{+}, "a", "$1", "b", "y{z}")'),
    ],
)
def test_matchers_go_into_every_selector(text: str, expected: str) -> None:
    assert narrowed(text, (POD,)) == expected.replace("+", ADDED)


def test_the_policys_own_matchers_come_last() -> None:
    assert narrowed("up", (Matcher("a", "=", "b"),), 'c="d",') == 'up{a="b",c="d"}'


@given(
    st.text(max_size=20).filter(lambda text: "\x00" not in text and text.isprintable()), st.sampled_from(["=", "!="])
)
def test_any_value_of_a_matcher_is_what_the_parser_reads(value: str, operator: str) -> None:
    tree = promql_parser.parse(narrowed("up", (Matcher("a", operator, value),)))
    assert isinstance(tree, promql_parser.VectorSelector)
    assert [(matcher.name, matcher.value) for matcher in tree.matchers.matchers] == [("a", value)]


@pytest.mark.parametrize("text", ["up", "up{}", '{a="b"}', 'up{a=~"x|y"}'])
def test_a_selector_is_accepted(text: str) -> None:
    assert problem_of_selector(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "'a'",
        "up[5m]",
        "up offset 5m",
        "up @ 5",
        "sum(up)",
        "up{",
        "up{a=b}",
        'up{a="b" or c="d"}',
        'up{a=~"["}',
        "up up",
    ],
)
def test_what_is_no_plain_selector_has_a_reason(text: str) -> None:
    assert problem_of_selector(text)


@pytest.mark.parametrize("text", ["", "1", "vector(1)", "up[5m]", "'a'", "sum(", "time()"])
def test_an_expression_without_series_has_a_reason(text: str) -> None:
    assert problem_of_expression(text)


@pytest.mark.parametrize("text", ['a="b"', 'a="b",c=~"d"', 'a="b",'])
def test_matchers_are_accepted(text: str) -> None:
    assert problem_of_matchers(text) is None


@pytest.mark.parametrize("text", ['a="b"} or up{', "a", '{a="b"}', 'a="b" or c="d"', '__name__="x"}#'])
def test_what_would_break_out_of_the_braces_has_a_reason(text: str) -> None:
    assert problem_of_matchers(text)


@given(st.text(alphabet="up{}[]()=~!\"'\\`,#ab \n5m@:", max_size=30))
def test_no_text_makes_the_checks_fail(text: str) -> None:
    for check in (problem_of_selector, problem_of_expression, problem_of_matchers):
        assert check(text) is None or check(text)


def test_selectors_are_found_as_they_stand() -> None:
    assert selectors('rate(a{b="c"}[5m]) / d') == ('a{b="c"}', "d")

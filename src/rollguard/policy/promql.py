"""PromQL text: what selectors an expression has, and the same expression with more matchers in each of them.

The text is edited, not printed again from a syntax tree: the parser's printer does not escape label values.
Every edit is parsed again and compared, so that a selector is never silently left as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import promql_parser

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`[^`]*`)
      | (?P<number>(?:0[xX][0-9a-fA-F]+|\d[\w.]*(?:(?<=[eE])[-+]\d+)?|\.\d\w*))
      | (?P<word>[a-zA-Z_:][\w:]*(?:\.[\w:]+)*)
      | (?P<sign>=~|!~|!=|==|<=|>=|.)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS = frozenset({"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan", *_LABEL_LISTS})


@dataclass(frozen=True, slots=True)
class Matcher:
    """A label matcher: `=`, `!=`, `=~` or `!~`."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.operator}"{escaped}"'


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Selector:
    start: int
    end: int
    braces: tuple[int, int] | None
    """Where the text between the braces begins and ends."""


def problem_of_selector(text: str) -> str | None:
    """Why the text is no plain vector selector (a name, matchers, nothing else), or None where it is one."""
    tree = _parsed(text)
    if isinstance(tree, str):
        return tree
    if not isinstance(tree, promql_parser.VectorSelector):
        return "it is an expression, not a selector"
    if tree.offset is not None or tree.at is not None:
        return "a selector here has no `offset` and no `@`"
    return _problem_of_edit(text)


def problem_of_expression(text: str) -> str | None:
    """Why the text is no expression over at least one selector that yields one value per series, or None."""
    tree = _parsed(text)
    if isinstance(tree, str):
        return tree
    if isinstance(tree, promql_parser.MatrixSelector | promql_parser.StringLiteral | promql_parser.NumberLiteral):
        return "it does not yield one number per series"
    return _problem_of_edit(text)


def problem_of_matchers(text: str) -> str | None:
    """Why the text is no list of label matchers, such as `cluster="eu"`, or None."""
    tree = _parsed("up{" + text + "}")
    if isinstance(tree, str):
        return tree
    if not isinstance(tree, promql_parser.VectorSelector) or _alternatives(tree) or tree.name != "up":
        return "only label matchers separated by commas stand here"
    return None


def selectors(text: str) -> tuple[str, ...]:
    """The vector selectors of an expression as they stand in it, in order."""
    return tuple(text[found.start : found.end] for found in _find(text))


def metric_of(selector: str) -> str:
    """The metric that a vector selector names; empty where it names none. Raises ValueError where it is no PromQL."""
    (found,) = _vector_selectors(selector)[:1] or (None,)
    if found is None:
        return ""
    named = (item.value for item in found.matchers.matchers if item.name == "__name__")
    return found.name or next(named, "")


def labels_of(selector: str) -> tuple[str, ...]:
    """The labels that a vector selector's matchers look at. Raises ValueError where it is no PromQL."""
    found = _vector_selectors(selector)
    return tuple(dict.fromkeys(item.name for one in found for item in one.matchers.matchers if item.name != "__name__"))


def allows(match: str, label: str, value: str) -> bool:
    """Whether series whose label has that value are among those that the matchers choose, as far as this label says;
    also False for an expression that cannot be read here."""
    tree = _parsed("up{" + match + "}")
    if not isinstance(tree, promql_parser.VectorSelector):
        return False
    return all(_fits(item, value) for item in tree.matchers.matchers if item.name == label)


def _fits(matcher: promql_parser.Matcher, value: str) -> bool:
    operator = promql_parser.MatchOp
    if matcher.op in (operator.Equal, operator.NotEqual):
        return (matcher.value == value) is (matcher.op == operator.Equal)
    try:
        return (re.fullmatch(matcher.value, value) is not None) is (matcher.op == operator.Re)
    except re.error:
        return False


@lru_cache(maxsize=4096)
def narrowed(text: str, matchers: tuple[Matcher, ...], match: str = "") -> str:
    """The same expression with the matchers, and the text `match`, added to each of its selectors.

    Raises ValueError where the text is no PromQL or where the result would not hold the matchers everywhere.
    """
    added = ",".join([*(str(matcher) for matcher in matchers), *([match.strip().strip(",")] if match.strip() else [])])
    if not added:
        return text
    result, last = [], 0
    for found in _find(text):
        if found.braces is None:
            result += [text[last : found.end], "{", added, "}"]
        else:
            inside = text[slice(*found.braces)]
            bare = _without_comments(inside).strip().rstrip(",")
            result += [text[last : found.braces[0]], bare, "," if bare else "", added, "}"]
        last = found.end
    result.append(text[last:])
    edited = "".join(result)
    _check(text, edited, matchers)
    return edited


def _problem_of_edit(text: str) -> str | None:
    try:
        narrowed(text, (Matcher("rollguard_check", "=", "x"),))
    except ValueError as error:
        return str(error)
    return None


def _parsed(text: str) -> promql_parser.Expr | str:
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        reason = " ".join(str(error).split())[:160]
        return f"{reason} (syntax newer than Prometheus 2.45 is not read here)"


def _vector_selectors(text: str) -> list[promql_parser.VectorSelector]:
    tree = _parsed(text)
    if isinstance(tree, str):
        raise ValueError(tree)
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        return True

    promql_parser.walk(tree, visit)
    return found


def _alternatives(selector: promql_parser.VectorSelector) -> bool:
    return bool(selector.matchers.or_matchers)


def _check(before: str, after: str, matchers: tuple[Matcher, ...]) -> None:
    old, new = _vector_selectors(before), _vector_selectors(after)
    if not old:
        raise ValueError("it selects no series")
    if len(old) != len(new):
        raise ValueError("its selectors could not be told apart")
    for was, now in zip(old, new, strict=True):
        if _alternatives(was) or _alternatives(now):
            raise ValueError("`or` between matchers is not PromQL")
        held = {(item.name, item.value) for item in now.matchers.matchers}
        if was.name != now.name or any((matcher.label, matcher.value) not in held for matcher in matchers):
            raise ValueError("matchers could not be added to each of its selectors")


def _tokens(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        if found.lastgroup and found.lastgroup != "space":
            yield _Token(found.lastgroup, found.group(), found.start(), found.end())


def _without_comments(text: str) -> str:
    return "".join(token.text for token in _tokens(text))


def _after(tokens: list[_Token], index: int, closing: str) -> int:
    """The index after the next `closing` token."""
    while index < len(tokens) and tokens[index].text != closing:
        index += 1
    return index + 1


def _find(text: str) -> Iterator[_Selector]:
    tokens = list(_tokens(text))
    index = 0
    while index < len(tokens):
        token = tokens[index]
        following = tokens[index + 1].text if index + 1 < len(tokens) else ""
        if token.text == "[":
            index = _after(tokens, index, "]")
        elif token.text == "{":
            index, selector = _braced(tokens, index, token.start)
            yield selector
        elif token.kind != "word":
            index += 1
        elif token.text.lower() in _LABEL_LISTS and following == "(":
            index = _after(tokens, index, ")")
        elif following == "{":
            index, selector = _braced(tokens, index + 1, token.start)
            yield selector
        elif token.text.lower() in _WORDS or following == "(" or following.lower() in {"by", "without"}:
            index += 1
        else:
            yield _Selector(token.start, token.end, None)
            index += 1


def _braced(tokens: list[_Token], index: int, start: int) -> tuple[int, _Selector]:
    after = _after(tokens, index, "}")
    if after > len(tokens):
        raise ValueError("a brace is not closed")
    last = tokens[after - 1]
    return after, _Selector(start, last.end, (tokens[index].end, last.start))

"""Policies broken at random, by seed: characters, tokens, lines and whole parts. `make fuzz ARGS="0 10000"`."""

from __future__ import annotations

import random
import re
import sys

from rollguard.model.policy import Policy
from rollguard.policy import load
from tests.unit.policy.broken import RICH, SINGLE
from tests.unit.policy.texts import GOOD, WITH_SET

TOKEN = re.compile(r"[\w.%/]+|\s+|[^\w\s]")
SIGNS = (
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "#",
    "&a ",
    "*a",
    "!x ",
    "|",
    ">",
    "'",
    '"',
    "%",
    "@",
    "`",
    "\t",
    "\\",
    "\n",
    "?",
    ",",
)
WORDS = (
    *(
        "on",
        "0644",
        "null",
        "~",
        "1e9",
        "-1",
        ".inf",
        "5m",
        "10%",
        "1/min",
        "{}",
        "[]",
        "true",
        "\x00",
        "\u2028",
        "\ud800",
    ),
    *("é", "<<", "---", "...", "99999999999999999999", "p95", "above", "spec", "signals", "x" * 300),
)
RARELY = 20
"""One text in so many is the long one."""


def broken(seed: int) -> str:
    """A text that began as a policy and had a few accidents."""
    rng = random.Random(seed)
    text = RICH if seed % RARELY == 0 else WITH_SET if seed % 3 == 1 else GOOD
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        text = rng.choice((_characters, _token, _lines, _indent, _piece, _mistake))(rng, text)
    return text


def check(text: str) -> str:
    """What is wrong with the answer to a text; empty where it is a policy or mistakes with places in the text."""
    found = load(text, "policy.yaml")
    if isinstance(found, Policy):
        return "" if found.digest else "a policy without digest"
    rows = len(re.split("\r\n|[\n\r\x85\u2028\u2029]", text))
    for mistake in found:
        if not (1 <= mistake.line <= rows + 1 and mistake.column >= 1 and mistake.expected):
            return f"no place in the text: {mistake}"
        if "\n" in str(mistake):
            return "a mistake of two lines"
    return "" if found else "neither a policy nor mistakes"


def _characters(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice((*SIGNS, *WORDS, "")) + text[at + rng.choice((0, 0, 1, 3)) :]


def _token(rng: random.Random, text: str) -> str:
    tokens = TOKEN.findall(text) or [""]
    at = rng.randrange(len(tokens))
    tokens[at] = rng.choice((rng.choice(WORDS), rng.choice(SIGNS), rng.choice(tokens), "", tokens[at] * 2))
    return "".join(tokens)


def _lines(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            lines.insert(one, lines[other])
        case 2:
            del lines[one]
        case _:
            lines[min(one, other) : max(one, other)] = []
    return "".join(lines)


def _indent(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = rng.randrange(len(lines))
    lines[at] = rng.choice(("  " + lines[at], lines[at].lstrip(), "\t" + lines[at], lines[at][1:]))
    return "".join(lines)


def _piece(rng: random.Random, text: str) -> str:
    start, end = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[start : min(end, start + 200)] + text[at:]


def _mistake(rng: random.Random, text: str) -> str:
    old, new = rng.choice(SINGLE)
    return text.replace(old, new, 1)


def main(first: int, last: int) -> int:
    """Tries the seeds of a range; the number of bad answers. A traceback ends it, with the seed above it."""
    bad = 0
    for seed in range(first, last):
        try:
            problem = check(broken(seed))
        except BaseException:
            print(f"seed {seed}:")
            raise
        if problem:
            bad += 1
            print(f"seed {seed}: {problem}")
    print(f"{last - first} texts, {bad} bad answers")
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]), int(sys.argv[2])) else 0)

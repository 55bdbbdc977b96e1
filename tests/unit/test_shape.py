"""What the code promises about its own shape."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES_MAX = 60


def functions(*folders: str) -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function below the folders."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield file.relative_to(ROOT), node


def test_no_function_is_long() -> None:
    lengths = {
        f"{file}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file, node in functions("src", "lab", "tests")
    }
    assert len(lengths) > 500
    assert {name: lines for name, lines in lengths.items() if lines >= LINES_MAX} == {}


BOUNDARIES = {
    "src/rollguard/loop/guard.py": "a bug that one duty meets must not stop the guard of everything else",
    "src/rollguard/loop/jobs.py": "a bug that one unit meets must not stop the guard of the others",
    "src/rollguard/loop/outbox.py": "a bug of one channel must not keep a notice from the others, or stop the guard",
}
"""Where unexpected errors are caught, and why; each is logged with its traceback and counted."""


def test_broad_exceptions_are_caught_at_the_known_boundaries_alone() -> None:
    catching = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    }
    assert catching == set(BOUNDARIES)

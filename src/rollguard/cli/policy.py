"""`rollguard policy check` and `policy schema`."""

from __future__ import annotations

import json
from pathlib import Path

from rollguard.cli import exits, output
from rollguard.model.policy import Policy
from rollguard.policy import Mistake, load
from rollguard.policy import schema as policy_schema


def read(file: Path) -> Policy:
    """The policy of a file; ends the command with all of its mistakes where it has any."""
    loaded = _load(file)
    if isinstance(loaded, Policy):
        return loaded
    lines = "\n".join(str(mistake) for mistake in loaded)
    raise exits.CommandError(f"{file} has {_count(loaded)}:\n{lines}", exits.USAGE)


def check(file: Path, /, *, format_: output.Output = output.Format.TABLE) -> int:
    """Report all mistakes of a policy file at once, each with line and column.

    Parameters
    ----------
    file
        The policy, as YAML.
    """
    loaded = _load(file)
    mistakes = () if isinstance(loaded, Policy) else loaded
    if format_.for_programs:
        told = json.dumps({"ok": not mistakes, "mistakes": [_fields(m) for m in mistakes]}, indent=2)
        output.say(output.document(told, format_))
    elif isinstance(loaded, Policy):
        watches, signals = len(loaded.watches), len(loaded.signals)
        output.say(f"{file}: good: {watches} watches, {signals} signals, digest {loaded.digest[:12]}")
    else:
        output.say("\n".join(str(mistake) for mistake in loaded))
        output.note(f"{file} has {_count(loaded)}")
    return exits.PROBLEM if mistakes else exits.OK


def schema() -> int:
    """Print the JSON Schema of a policy, for editors."""
    output.say(json.dumps(policy_schema(), indent=2))
    return exits.OK


def _load(file: Path) -> Policy | tuple[Mistake, ...]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise exits.CommandError(f"cannot read the policy {file}: {problem}", exits.USAGE) from None
    return load(text, str(file))


def _count(mistakes: tuple[Mistake, ...]) -> str:
    return "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"


def _fields(mistake: Mistake) -> dict[str, str | int]:
    return {
        "file": mistake.file,
        "line": mistake.line,
        "column": mistake.column,
        "offending": mistake.offending,
        "expected": mistake.expected,
        "nearest": mistake.nearest,
    }

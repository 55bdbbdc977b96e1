"""`rollguard policy check`, `policy show` and `policy schema`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path

from rollguard.adapters.clock import SystemClock
from rollguard.cli import exits, output
from rollguard.cli.connect import Way, opened
from rollguard.cli.policy_cluster import look
from rollguard.model.policy import Policy
from rollguard.policy import Mistake, Mistakes, load
from rollguard.policy import schema as policy_schema
from rollguard.policy.against import compare
from rollguard.policy.amounts import counted
from rollguard.policy.remarks import remarks
from rollguard.policy.shown import written_out


def read(file: Path) -> Policy:
    """The policy of a file; ends the command with all of its mistakes where it has any."""
    return read_with_text(file)[0]


def read_with_text(file: Path) -> tuple[Policy, str]:
    """The same, with the text that it was read from."""
    text = _text(file)
    loaded = load(text, str(file))
    if isinstance(loaded, Policy):
        return loaded, text
    raise exits.CommandError(_refused(file, loaded), exits.USAGE)


def check(
    file: Path,
    /,
    *,
    cluster: bool = False,
    way: Way | None = None,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Report all mistakes of a policy file at once, each with line and column.

    Exit code 0: good, 1: mistakes, 2: the file cannot be read, 3: the cluster or its metrics store did not answer.

    Parameters
    ----------
    file
        The policy, as YAML.
    cluster
        Also ask the cluster and its metrics store: for names, selectors and labels that match nothing.
    """
    loaded = _load(file)
    outcome = _Outcome(mistakes=loaded) if not isinstance(loaded, Policy) else _Outcome(remarks=_remarks(loaded, file))
    if cluster and isinstance(loaded, Policy):
        outcome = asyncio.run(_compared(loaded, file, way or Way()))
    elif cluster:
        outcome = replace(outcome, problems=("the cluster was not asked: the file has mistakes",))
    _report(file, loaded, outcome, format_)
    if outcome.mistakes:
        return exits.PROBLEM
    return exits.UNREACHABLE if outcome.problems else exits.OK


def show(file: Path, /, *, format_: output.Document = output.Format.YAML) -> int:
    """Print a policy with its preset and all defaults written out; loaded again, it is the same.

    Parameters
    ----------
    file
        The policy, as YAML.
    """
    document = written_out(_text(file), str(file))
    if not isinstance(document, dict):
        raise exits.CommandError(_refused(file, document), exits.PROBLEM)
    output.say(output.document(json.dumps(document, indent=2, ensure_ascii=False), format_))
    return exits.OK


def schema() -> int:
    """Print the JSON Schema of a policy, for editors."""
    output.say(json.dumps(policy_schema(), indent=2))
    return exits.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What a check found; `problems` says what could not be asked."""

    mistakes: Mistakes = ()
    remarks: Mistakes = ()
    problems: tuple[str, ...] = ()


async def _compared(policy: Policy, file: Path, way: Way) -> _Outcome:
    clock = SystemClock()
    async with opened(way, clock) as api:
        looked = await look(api, clock, policy)
    compared = compare(policy, _text(file), str(file), looked.found)
    remarked = tuple(sorted({*_remarks(policy, file), *compared.remarks}, key=lambda each: (each.line, each.column)))
    return _Outcome(mistakes=compared.mistakes, remarks=remarked, problems=tuple(looked.problems))


def _remarks(policy: Policy, file: Path) -> Mistakes:
    return remarks(policy, _text(file), str(file))


def _report(file: Path, loaded: Policy | Mistakes, outcome: _Outcome, format_: output.Format) -> None:
    if format_.for_programs:
        document = {
            "ok": not outcome.mistakes and not outcome.problems,
            "mistakes": [_fields(mistake) for mistake in outcome.mistakes],
            "remarks": [_fields(remark) for remark in outcome.remarks],
            "notAsked": list(outcome.problems),
        }
        output.say(output.document(json.dumps(document, indent=2), format_))
        return
    lines = [*map(str, outcome.mistakes), *(f"{remark} (no mistake)" for remark in outcome.remarks)]
    if lines:
        output.say("\n".join(lines))
    for problem in outcome.problems:
        output.note(f"{file}: not known to be good: {problem}")
    if outcome.mistakes:
        output.note(f"{file} has {counted(len(outcome.mistakes), 'mistake')}")
    elif isinstance(loaded, Policy) and not outcome.problems:
        watches, signals = counted(len(loaded.watches), "watch", "watches"), len(loaded.signals)
        output.say(f"{file}: good: {watches}, {counted(signals, 'signal')}, digest {loaded.digest[:12]}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise exits.CommandError(f"cannot read the policy {file}: {problem}", exits.USAGE) from None


def _load(file: Path) -> Policy | Mistakes:
    return load(_text(file), str(file))


def _refused(file: Path, mistakes: Mistakes) -> str:
    lines = "\n".join(str(mistake) for mistake in mistakes)
    return f"{file} has {counted(len(mistakes), 'mistake')}:\n{lines}"


def _fields(mistake: Mistake) -> dict[str, str | int]:
    return {
        "file": mistake.file,
        "line": mistake.line,
        "column": mistake.column,
        "offending": mistake.offending,
        "expected": mistake.expected,
        "nearest": mistake.nearest,
    }

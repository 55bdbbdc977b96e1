"""`rollguard render`: the policy as the files that operators apply, or whether a directory still has them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rollguard.adapters.rendered import LIST, Change, Standing, Unlisted, bring, standing
from rollguard.cli import exits, output
from rollguard.cli.connect import GUARD_NAMESPACE
from rollguard.cli.install import installation_of
from rollguard.policy.amounts import counted
from rollguard.record import manifests as definitions_of_records
from rollguard.render.everything import Rendering, files

NAMED = 10
"""Foreign files that are told by name."""


def render(
    policy: Path,
    /,
    *,
    directory: Annotated[Path, Parameter(name=["-o", "--output"])],
    check: bool = False,
    namespace: Annotated[str, Parameter(name=["-n", "--namespace"])] = GUARD_NAMESPACE,
    image: str = "",
) -> int:
    """Write every file of the monitoring stack from the policy: the same policy gives the same bytes.

    Which files of the directory are Rollguard's is told by its list rollguard-files.sha256: they are renewed, and
    removed when they are not rendered any more. All others are left alone; where one is in the way, nothing is written.

    Exit code 0: written, or as it should be; 1: with --check the directory has drifted, else a foreign file is in the
    way; 2: the policy has mistakes, or something cannot be read or written.

    Parameters
    ----------
    policy
        The policy file.
    directory
        Where the files go; made where it is missing.
    check
        Write nothing; print what has drifted as a unified diff.
    namespace
        Where the guard runs.
    image
        The guard's image (default: rollguard:VERSION, as the Dockerfile makes it).
    """
    wanted = Rendering(
        installation=installation_of(policy, namespace=namespace, image=image), definitions=definitions_of_records()
    )
    try:
        found = standing(directory, files(wanted))
        if check:
            return _checked(directory, found)
        if found.in_the_way:
            raise exits.CommandError(_in_the_way(directory, found.in_the_way))
        bring(directory, found)
    except Unlisted as problem:
        text = f"{directory}: {problem}; restore the list, or render into a new directory"
        raise exits.CommandError(text, exits.USAGE) from None
    except OSError as problem:
        raise exits.CommandError(f"cannot render into {directory}: {problem}", exits.USAGE) from None
    _tell(directory, found)
    return exits.OK


def _tell(directory: Path, found: Standing) -> None:
    for each in found.changes:
        output.say(f"{each.path}: {_done(each)}")
    total = len(found.wanted.splitlines())
    written = sum(each.after is not None for each in found.changes)
    output.say(f"{directory}: {counted(total, 'file')}, {written} written, {total - written} as they were")
    _tell_foreign(found)


def _tell_foreign(found: Standing) -> None:
    if found.foreign:
        more = len(found.foreign) - NAMED
        others = f" and {more} more" if more > 0 else ""
        output.note(f"left alone, not rendered by Rollguard: {', '.join(found.foreign[:NAMED])}{others}")


def _done(each: Change) -> str:
    if each.after is None:
        return "removed, it is not rendered any more"
    if each.before is None:
        return "created"
    return "written anew over what was edited by hand" if each.edited else "changed"


def _checked(directory: Path, found: Standing) -> int:
    """Prints how the directory differs; nothing where it does not."""
    for each in found.changes:
        output.say("".join(_diff(directory, each)).rstrip("\n"))
    for path in found.in_the_way:
        output.note(f"{directory / path} was not rendered by Rollguard, and a file of that name would be")
    drifted = len(found.changes) + len(found.in_the_way)
    if not drifted and found.listed != found.wanted:
        drifted = 1
        output.note(f"{directory / LIST} is not as it would be written")
    _tell_foreign(found)
    if drifted:
        output.note(
            f"{directory} has drifted from the policy: {counted(drifted, 'file')}; `rollguard render` renews it"
        )
        return exits.PROBLEM
    output.say(f"{directory}: {counted(len(found.wanted.splitlines()), 'file')} as the policy has them")
    return exits.OK


def _diff(directory: Path, each: Change) -> Sequence[str]:
    """From what is there to what the policy says."""
    before, after = (_lines(text) for text in (each.before, each.after))
    old, new = (str(directory / each.path) if text is not None else "/dev/null" for text in (each.before, each.after))
    return list(difflib.unified_diff(before, after, old, new))


def _lines(text: bytes | None) -> list[str]:
    """Lines that all end, also the last one."""
    lines = (text or b"").decode(errors="replace").splitlines(keepends=True)
    return [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]


def _in_the_way(directory: Path, paths: tuple[str, ...]) -> str:
    names = "\n".join(f"  {directory / path}" for path in paths)
    return (
        f"nothing was written: {counted(len(paths), 'file')} in the way that Rollguard did not render:\n{names}\n"
        "move them away, or render into another directory"
    )

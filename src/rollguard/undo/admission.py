"""What admission makes of the restored template: a template that it changes is not the revision that was good."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.model.action import Applied, Step, StepKind
from rollguard.model.documents import Json
from rollguard.undo.patch import parse

ADMISSION = "admission (a webhook or a policy)"
NOT_GOOD = "that is no revision that was judged healthy or adopted"
TOLD = 3
"""Differences that are told."""


def changed(step: Step, answer: Applied) -> str:
    """Why what the server keeps, or in a dry run would keep, is not what the step restores or lets serve again; empty
    where it is that, and for every other step.

    The usual webhook has changed the template on its way in at first, and changes nothing in it now. One that came
    since makes another template of it, which nobody has judged. The words name the fields, never their values.
    """
    wanted = {StepKind.RESTORE_TEMPLATE: step.goal, StepKind.SCALE_UP: step.precondition}.get(step.kind, "")
    if not wanted or answer.template_digest in ("", wanted):
        return ""
    if step.kind is StepKind.SCALE_UP:
        return (
            f"scaled, {step.target.name} would not have the template that served: {ADMISSION}, or somebody, changes it"
        )
    differences = list(_differences(parse(step.body), parse(answer.template_body), ""))
    more = f" and {len(differences) - TOLD} more" if len(differences) > TOLD else ""
    return f"{ADMISSION} changes the restored template: {', '.join(differences[:TOLD])}{more}; {NOT_GOOD}"


def _differences(wanted: Json, kept: Json, path: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(kept, dict):
        for key in sorted(wanted.keys() | kept.keys()):
            yield from _at(wanted, kept, key, f"{path}.{key}" if path else key)
    elif isinstance(wanted, list) and isinstance(kept, list):
        one, other = _by_name(wanted), _by_name(kept)
        for key in (*one, *(key for key in other if key not in one)):
            yield from _at(one, other, key, f"{path}[{key}]")
    elif wanted != kept:
        yield f"{path} is changed"


def _at(wanted: dict[str, Json], kept: dict[str, Json], key: str, path: str) -> Iterator[str]:
    if key not in kept:
        yield f"{path} is removed"
    elif key not in wanted:
        yield f"{path} is added"
    else:
        yield from _differences(wanted[key], kept[key], path)


def _by_name(entries: list[Json]) -> dict[str, Json]:
    """The entries by their names, as containers and variables have them; by place where one has none."""
    objects = [entry for entry in entries if isinstance(entry, dict) and "name" in entry]
    named: dict[str, Json] = {str(entry["name"]): entry for entry in objects}
    if len(named) == len(entries):
        return named
    return {str(place): entry for place, entry in enumerate(entries)}

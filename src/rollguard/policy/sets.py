"""Release sets in the document: their keys, and what of them does not go together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from rollguard.model.policy import ReleaseSet, SetMember
from rollguard.policy import checks
from rollguard.policy.mistakes import nearest
from rollguard.policy.part import Name, Part, ServiceName
from rollguard.policy.yaml_text import Marked, Path

COLOURS = 2
MEMBERS = 6
"""A plan has up to five steps a member, and 32 in all."""


class MemberPart(Part):
    """A pair: one Deployment of each colour."""

    name: Name
    """A name of its own in the set; its Deployments are `<name>-<colour>` where `workloads` does not name them."""
    service: ServiceName | None = None
    """The Service whose selector chooses the colour; none for what serves without one, such as workers."""
    workloads: dict[str, Name] | None = None
    """Its Deployments by colour."""
    signals: Annotated[list[str], Field(min_length=1)] | None = None
    """The signals that apply to it; those of the watch where none is named."""


class ReleaseSetPart(Part):
    """Pairs of Deployments that are switched, and go back, together."""

    selector_key: str
    """The label of the pods, and of the Services' selectors, whose value is the colour: `version`."""
    colours: Annotated[list[str], Field(json_schema_extra={"minItems": COLOURS, "maxItems": COLOURS})]
    """The two colours: `[blue, green]`. Which of them is live stands in the Services."""
    members: Annotated[list[MemberPart], Field(min_length=1, json_schema_extra={"maxItems": MEMBERS})]
    """The pairs, at most 6."""


def deployments(part: ReleaseSetPart, marked: Marked, path: Path) -> Iterator[tuple[Path, str]]:
    """Every Deployment of the set at that path, with the place that names it; those of a second member of a name are
    told with its name."""
    names: set[str] = set()
    for number, member in enumerate(part.members):
        here: Path = (*path, "members", number)
        for colour in dict.fromkeys(part.colours):
            named = (member.workloads or {}).get(colour)
            if named is not None:
                yield (*here, "workloads", colour), named
            elif not marked.has((*here, "workloads")) and member.name not in names:
                yield (*here, "name"), f"{member.name}-{colour}"
        names.add(member.name)


def check_set(part: ReleaseSetPart, signals: frozenset[str], marked: Marked, path: Path) -> None:
    """What is wrong within a set; `signals` are the names that exist."""
    if not checks.is_label_key(part.selector_key):
        words = "the key of a Kubernetes label, such as version or example.com/colour"
        marked.wrong((*path, "selectorKey"), part.selector_key, words)
    for number, colour in enumerate(part.colours):
        if not checks.is_label_value(colour):
            words = "a Kubernetes label value that is not empty, such as blue"
            marked.wrong((*path, "colours", number), colour, words)
    if not len(set(part.colours)) == len(part.colours) == COLOURS:
        marked.wrong((*path, "colours"), part.colours, "two different colours, such as [blue, green]")
    if len(part.members) > MEMBERS:
        words = f"at most {MEMBERS} members: what belongs together and is more is two sets"
        marked.wrong((*path, "members"), f"{len(part.members)} members", words)
    names: set[str] = set()
    for number, member in enumerate(part.members):
        here: Path = (*path, "members", number)
        if member.name in names:
            marked.wrong((*here, "name"), member.name, "a name of its own for each member")
        names.add(member.name)
        _check_workloads(part, member, marked, here)
        check_signals(member.signals, signals, marked, (*here, "signals"))


def _check_workloads(part: ReleaseSetPart, member: MemberPart, marked: Marked, path: Path) -> None:
    if not marked.has((*path, "workloads")):
        for colour in filter(checks.is_label_value, dict.fromkeys(part.colours)):
            if not checks.is_dns_name(f"{member.name}-{colour}"):
                words = f"the Deployments by name in `workloads`: {member.name}-{colour} is not the name of one"
                marked.wrong((*path, "name"), member.name, words)
        return
    if member.workloads is None or len(set(part.colours)) != COLOURS:
        return
    for colour in member.workloads:
        if colour not in part.colours:
            words = f"one of the set's colours {', '.join(part.colours)}"
            marked.wrong((*path, "workloads", colour), colour, words, near=nearest(colour, part.colours), key=True)
    there = {*member.workloads, *(str(place[-1]) for place in marked.dropped if place[:-1] == (*path, "workloads"))}
    missing = [colour for colour in part.colours if colour not in there]
    if missing:
        words = f"a Deployment for each colour: there is none for {' and '.join(missing)}"
        marked.wrong((*path, "workloads"), "workloads", words, key=True)


def check_signals(named: list[str] | None, signals: frozenset[str], marked: Marked, path: Path) -> None:
    """Names of signals that do not exist."""
    for number, signal in enumerate(named or []):
        if signal not in signals:
            words = f"one of the signals {', '.join(sorted(signals)) or '(there are none)'}"
            marked.wrong((*path, number), signal, words, near=nearest(signal, signals))


def set_of(name: str, namespace: str, part: ReleaseSetPart) -> ReleaseSet:
    """The set of a part without mistakes."""
    first, second = part.colours
    return ReleaseSet(
        name=name,
        namespace=namespace,
        selector_key=part.selector_key,
        colours=(first, second),
        members=tuple(
            SetMember(
                name=member.name,
                service=member.service or "",
                workloads=tuple(
                    (colour, (member.workloads or {}).get(colour, f"{member.name}-{colour}"))
                    for colour in (first, second)
                ),
                signals=tuple(member.signals or ()),
            )
            for member in part.members
        ),
    )

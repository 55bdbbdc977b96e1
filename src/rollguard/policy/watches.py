"""The watches of the document: each names workloads, selects them by labels or is a release set, and no workload is
in two."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.model.policy import Mode, Watch
from rollguard.policy.document import WatchPart
from rollguard.policy.sets import check_set, check_signals, deployments, set_of
from rollguard.policy.yaml_text import Marked, Path

Parts = tuple[tuple[int, WatchPart], ...]
_CHOICES = ("workloads", "selector", "releaseSet")


def watches_of(parts: Parts, mode: Mode, signals: frozenset[str], marked: Marked) -> tuple[Watch, ...]:
    """The watches of the parts (with their places in the list); `signals` are the names that exist. None where there
    is a mistake, for then there is no policy."""
    names: set[str] = set()
    for index, part in parts:
        path: Path = ("spec", "watch", index)
        if part.name in names:
            marked.wrong((*path, "name"), part.name, "a name of its own for each watch")
        names.add(part.name)
        _check_choice(part, marked, path)
        check_signals(part.signals, signals, marked, (*path, "signals"))
        if part.release_set is not None:
            check_set(part.release_set, signals, marked, (*path, "releaseSet"))
    _check_workloads(parts, marked)
    _check_services(parts, marked)
    _check_selectors(parts, marked)
    return () if marked.mistakes else tuple(_watch(part, mode) for _index, part in parts)


def _check_choice(part: WatchPart, marked: Marked, path: Path) -> None:
    given = [key for key in _CHOICES if marked.has((*path, key))]
    if len(given) != 1:
        marked.wrong(path, part.name, "one of `workloads`, `selector` and `releaseSet`")


def _check_workloads(parts: Parts, marked: Marked) -> None:
    """No workload is named twice: not in a watch, not in two, not as two colours."""
    taken: dict[tuple[str, str], str] = {}
    for index, part in parts:
        for place, workload in _named(part, marked, ("spec", "watch", index)):
            holder = taken.get((part.namespace, workload))
            if holder is not None:
                words = f"each workload once: {part.namespace}/{workload} is in the watch `{holder}` already"
                marked.wrong(place, workload, words)
            taken.setdefault((part.namespace, workload), part.name)


def _named(part: WatchPart, marked: Marked, path: Path) -> Iterator[tuple[Path, str]]:
    for number, workload in enumerate(part.workloads or []):
        yield (*path, "workloads", number), workload
    if part.release_set is not None:
        yield from deployments(part.release_set, marked, (*path, "releaseSet"))


def _check_services(parts: Parts, marked: Marked) -> None:
    taken: dict[tuple[str, str], str] = {}
    for index, part in parts:
        for number, member in enumerate(part.release_set.members if part.release_set else []):
            if member.service is None:
                continue
            holder = taken.get((part.namespace, member.service))
            if holder is not None:
                words = f"each Service once: {part.namespace}/{member.service} is that of {holder} already"
                path: Path = ("spec", "watch", index, "releaseSet", "members", number, "service")
                marked.wrong(path, member.service, words)
            taken.setdefault((part.namespace, member.service), f"`{member.name}` of the watch `{part.name}`")


def _check_selectors(parts: Parts, marked: Marked) -> None:
    """Of two selectors in one namespace neither may hold the other: what the narrower one selects, both would."""
    earlier: list[tuple[WatchPart, frozenset[tuple[str, str]]]] = []
    for index, part in parts:
        if part.selector is None:
            continue
        labels = frozenset(part.selector.match_labels.items())
        for other, others in earlier:
            if other.namespace == part.namespace and (labels <= others or others <= labels):
                words = f"labels that `{other.name}` does not select too: a workload belongs to one watch"
                text = ",".join(f"{key}={value}" for key, value in sorted(labels))
                marked.wrong(("spec", "watch", index, "selector", "matchLabels"), text, words)
                break
        earlier.append((part, labels))


def _watch(part: WatchPart, mode: Mode) -> Watch:
    labels = part.selector.match_labels if part.selector else {}
    return Watch(
        name=part.name,
        namespace=part.namespace,
        workloads=tuple(part.workloads or ()),
        selector=tuple(sorted(labels.items())),
        mode=Mode(part.mode) if part.mode else mode,
        signals=tuple(part.signals or ()),
        called_by=tuple(part.called_by),
        team=part.team,
        own_mode=part.mode is not None,
        release_set=set_of(part.name, part.namespace, part.release_set) if part.release_set else None,
    )

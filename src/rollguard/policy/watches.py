"""The watches of the document: each names workloads or selects them by labels, and no workload twice."""

from __future__ import annotations

from rollguard.model.policy import Mode, Watch
from rollguard.policy.document import WatchPart
from rollguard.policy.mistakes import nearest
from rollguard.policy.yaml_text import Marked, Path

Parts = tuple[tuple[int, WatchPart], ...]


def watches_of(parts: Parts, mode: Mode, signals: frozenset[str], marked: Marked) -> tuple[Watch, ...]:
    """The watches of the parts (with their places in the list); `signals` are the names that exist."""
    taken: dict[tuple[str, str], str] = {}
    names: set[str] = set()
    for index, part in parts:
        path: Path = ("spec", "watch", index)
        if part.name in names:
            marked.wrong((*path, "name"), part.name, "a name of its own for each watch")
        names.add(part.name)
        _check_choice(part, marked, path)
        for number, workload in enumerate(part.workloads or []):
            holder = taken.setdefault((part.namespace, workload), part.name)
            if holder != part.name or workload in (part.workloads or [])[:number]:
                words = f"each workload once: {part.namespace}/{workload} is in the watch `{holder}` already"
                marked.wrong((*path, "workloads", number), workload, words)
        for number, signal in enumerate(part.signals or []):
            if signal not in signals:
                words = f"one of the signals {', '.join(sorted(signals)) or '(there are none)'}"
                marked.wrong((*path, "signals", number), signal, words, near=nearest(signal, signals))
    _check_selectors(parts, marked)
    return tuple(_watch(part, mode) for _index, part in parts)


def _check_choice(part: WatchPart, marked: Marked, path: Path) -> None:
    given = [key for key in ("workloads", "selector") if marked.has((*path, key))]
    if len(given) != 1:
        marked.wrong(path, part.name, "either `workloads` or `selector`")


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
    )

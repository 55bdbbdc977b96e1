"""A signal's part of the document -> the signal: which keys its kind has, how its bounds are written, their order."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.model.signals import EventRule, Level, LevelName, Signal, SignalKind
from rollguard.policy import durations, values
from rollguard.policy.alerts import alerts_of
from rollguard.policy.document import LevelPart, Levels, SignalPart
from rollguard.policy.mistakes import nearest
from rollguard.policy.yaml_text import Marked, Path

DEFAULT_TRAFFIC = 20
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_NEEDED = {
    SignalKind.RATIO: ("bad", "total"),
    SignalKind.HISTOGRAM: ("buckets",),
    SignalKind.RATE: ("counter",),
    SignalKind.GAUGE: ("gauge",),
    SignalKind.EVENT: ("rule",),
}
_SOURCES = ("bad", "total", "buckets", "counter", "gauge", "limit", "rule")
_RULES = {
    EventRule.CRASH_LOOP: "crash loop",
    EventRule.IMAGE_PULL: "image pull failure",
    EventRule.PROGRESS_DEADLINE: "progress deadline exceeded",
    EventRule.MIGRATION_FAILED: "database migration failed",
}
_COUNTS_REQUESTS = frozenset({SignalKind.RATIO, SignalKind.HISTOGRAM})


def signal_of(name: str, part: SignalPart, marked: Marked, *, slot: float, scrape: float) -> Signal:
    """The signal; what is wrong with it is noted in `marked`, and left out of it."""
    kind = SignalKind(part.kind)
    path: Path = ("spec", "signals", name)
    _check_sources(kind, part, marked, path)
    if part.minimum_traffic is not None and kind not in _COUNTS_REQUESTS:
        marked.wrong(
            (*path, "minimumTraffic"),
            "minimumTraffic",
            "no minimumTraffic: only ratio and histogram count requests",
            key=True,
        )
    traffic = part.minimum_traffic if part.minimum_traffic is not None else DEFAULT_TRAFFIC
    rule = EventRule(part.rule) if part.rule else None
    levels = _levels(kind, part, slot, marked, path)
    shared = part.scope == "shared"
    return Signal(
        name=name,
        kind=kind,
        levels=levels,
        required=part.required if part.required is not None else kind is not SignalKind.EVENT,
        shared=shared,
        minimum_traffic=traffic if kind in _COUNTS_REQUESTS else 0,
        bad=part.bad or "",
        total=part.total or "",
        buckets=part.buckets or "",
        counter=part.counter or "",
        gauge=part.gauge or "",
        limit=part.limit or "",
        rule=rule,
        per_pod=part.per == "pod" and kind is SignalKind.RATE,
        alerts=alerts_of(name, part.alerts, levels, kind=kind, rule=rule, shared=shared, scrape=scrape, marked=marked),
    )


def _check_sources(kind: SignalKind, part: SignalPart, marked: Marked, path: Path) -> None:
    given = {key for key in _SOURCES if getattr(part, key) is not None or marked.has((*path, key))}
    needed = _NEEDED[kind]
    allowed = {*needed, "limit"} if kind is SignalKind.GAUGE else set(needed)
    for key in needed:
        if key not in given:
            marked.wrong(
                path, path[-1], f"a key `{key}`: a signal of kind {kind.value} needs {' and '.join(needed)}", key=True
            )
    for key in sorted(given - allowed):
        words = f"no `{key}`: a signal of kind {kind.value} has {', '.join(sorted(allowed))}"
        marked.wrong((*path, key), key, words, near=nearest(key, allowed - given), key=True)
    if part.per == "pod" and kind is not SignalKind.RATE:
        marked.wrong((*path, "per"), "pod", "per: workload: only a rate is averaged over pods")
    if part.scope == "shared" and kind is SignalKind.EVENT:
        marked.wrong((*path, "scope"), "shared", "scope workload: events always belong to a workload")


def _levels(kind: SignalKind, part: SignalPart, slot: float, marked: Marked, path: Path) -> tuple[Level, ...]:
    parts = list(_parts(part.levels))
    if kind is SignalKind.EVENT:
        if parts:
            marked.wrong((*path, "levels"), "levels", "no levels: an event rule is complete or not", key=True)
        text = _RULES[EventRule(part.rule)] if part.rule else ""
        return (Level(name=LevelName.ROLLBACK, bound=0.0, seconds=0.0, text=text),)
    if not parts and not any(dropped[: len(path) + 1] == (*path, "levels") for dropped in marked.dropped):
        marked.wrong(path, path[-1], "at least one level: warning, critical or rollback", key=True)
    levels: list[Level] = []
    for name, index, level in parts:
        where: Path = (*path, "levels", name.value)
        if (*where, index) in marked.places:
            where = (*where, index)
        found = _level(part, name, level, marked, where)
        if found is None:
            continue
        if found.seconds < slot:
            words = f"at least one slot ({durations.format_(slot)})"
            marked.wrong((*where, "for"), durations.format_(found.seconds), words)
        _check_order(levels, found, marked, where)
        levels.append(found)
    return tuple(levels)


def _parts(levels: Levels) -> Iterator[tuple[LevelName, int, LevelPart]]:
    for name in LevelName:
        given = {
            LevelName.WARNING: levels.warning,
            LevelName.CRITICAL: levels.critical,
            LevelName.ROLLBACK: levels.rollback,
        }[name]
        if given is not None:
            for index, level in enumerate(given if isinstance(given, list) else [given]):
                yield name, index, level


def _level(part: SignalPart, name: LevelName, level: LevelPart, marked: Marked, path: Path) -> Level | None:
    kind = SignalKind(part.kind)
    quantiles = [key for key in _QUANTILES if getattr(level, key) is not None]
    if any((*path, key) in marked.dropped for key in ("above", *_QUANTILES)):
        return None
    lasting = durations.format_(level.for_)
    if kind is SignalKind.HISTOGRAM:
        if level.above is not None or len(quantiles) != 1:
            marked.wrong(path, path[-1], f"one quantile, such as `p95: 5s`, of {', '.join(_QUANTILES)}")
            return None
        key = quantiles[0]
        bound: float = getattr(level, key)
        text = f"{key.upper()} > {durations.format_(bound)} for {lasting}"
        return Level(name=name, bound=bound, seconds=level.for_, quantile=_QUANTILES[key], text=text)
    for key in quantiles:
        marked.wrong((*path, key), key, f"`above`: a signal of kind {kind.value} has no quantiles", key=True)
    if level.above is None:
        if not quantiles:
            marked.wrong(path, path[-1], "a key `above`", key=True)
        return None
    if kind is SignalKind.GAUGE and (*path[:3], "limit") in marked.dropped:
        return None  # whether it is a share is not known
    number = _bound(kind, part, level.above)
    if isinstance(number, str):
        marked.wrong((*path, "above"), level.above, number)
        return None
    return Level(name=name, bound=number, seconds=level.for_, text=f"> {level.above} for {lasting}")


def _bound(kind: SignalKind, part: SignalPart, above: str | float) -> float | str:
    """The number that a bound stands for, or what was expected instead."""
    if kind is SignalKind.RATE:
        rate = values.parse_rate(above) if isinstance(above, str) else None
        return values.RATE_EXPECTED if rate is None else rate
    if kind is SignalKind.GAUGE and part.limit is None:
        return float(above) if not isinstance(above, str) else "a number, for the gauge has no limit to be a share of"
    share = values.parse_share(above) if isinstance(above, str) else None
    if share is None:
        return values.SHARE_EXPECTED
    return share if share < 1 or kind is SignalKind.GAUGE else "a share below 100%: a ratio is never past it"


def _check_order(earlier: list[Level], level: Level, marked: Marked, path: Path) -> None:
    """No bound is beyond another that it comes before: a milder level's beyond a harder one's of the same quantile, or
    a lower quantile's beyond a higher one's, which is always reached with it."""
    key = next((key for key, value in _QUANTILES.items() if value == level.quantile), "above")
    place = marked.places.get(marked.known((*path, key)))
    text = place.text if place and place.text else level.text
    for other in earlier:
        if other.quantile == level.quantile:
            if other.name is not level.name and other.bound > level.bound:
                words = f"a bound of {level.name.value} that is not below that of {other.name.value} ({other.text})"
                marked.wrong((*path, key), text, words)
            continue
        lower, higher = sorted((other, level), key=lambda one: one.quantile or 0.0)
        if lower.bound > higher.bound and lower.seconds >= higher.seconds and _milder_or_same(lower, higher):
            words = f"a bound in order with that of {other.name.value} ({other.text}): {higher.text} is reached with it"
            marked.wrong((*path, key), text, words)


def _milder_or_same(one: Level, other: Level) -> bool:
    names = list(LevelName)
    return names.index(one.name) <= names.index(other.name)

"""The document -> the policy: defaults, presets, and the checks that look at more than one key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import msgspec

from rollguard.model.policy import (
    Limits,
    Links,
    MetricsStore,
    Migration,
    MigrationInterlock,
    Mode,
    OwnerRule,
    Owners,
    Policy,
    SecretsAccess,
    StoreAccess,
    Timing,
    Watch,
)
from rollguard.model.signals import LevelName, Signal
from rollguard.policy import durations, preset
from rollguard.policy.alerts import AlertsPart, alerting, check_names
from rollguard.policy.document import (
    Auth,
    Document,
    LimitsPart,
    LinksPart,
    Metrics,
    MigrationPart,
    SignalPart,
    Spec,
    TimingPart,
    WatchPart,
    Window,
)
from rollguard.policy.email import email_of
from rollguard.policy.journal import JournalPart, check_journal, journal_of
from rollguard.policy.levels import signal_of
from rollguard.policy.mistakes import Mistakes, nearest
from rollguard.policy.notify import Notify, check_notify, secrets_of, slack_of, webhooks_of
from rollguard.policy.operations import RetentionPart, check_retention, operations_of
from rollguard.policy.pagerduty import paging_of
from rollguard.policy.quiet import QuietPart, quiet_hours, windows
from rollguard.policy.response import tickets_of
from rollguard.policy.shape import fit, salvage
from rollguard.policy.teams import check_teams, mails_of
from rollguard.policy.watches import watches_of
from rollguard.policy.yaml_text import Marked, read

T = TypeVar("T")
SCRAPE_INTERVAL = ("metrics", "scrapeInterval")
SHORTEST_TICK = 0.1
"""Seconds: a shorter one would do nothing but look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What of a document fits: all of it, or the parts that are worth checking further."""

    mode: Mode
    metrics: Metrics | None
    watches: tuple[tuple[int, WatchPart], ...]
    signals: dict[str, SignalPart]
    names: frozenset[str]
    window: Window
    join_window: float | None
    drain: float | None
    timing: TimingPart
    limits: LimitsPart
    notify: Notify
    journal: JournalPart | None
    alerts: AlertsPart
    maintenance: tuple[tuple[int, QuietPart], ...]
    retention: RetentionPart


def load(text: str, file: str) -> Policy | Mistakes:
    """The policy that a text says, or all that is wrong with it, in order of place. Never raises on a text.

    Reads no file but the presets that come with the package; `file` is only the name in messages.
    """
    marked = read(text, file)
    if marked.data is None and marked.mistakes:
        return _sorted(marked)
    _with_preset(marked)
    document = fit(marked)
    parts = _whole(document.spec) if document else _salvaged(marked)
    timing = _timing(parts, marked)
    slot = 0.0 if marked.dropped & {("spec", *SCRAPE_INTERVAL), ("spec", "timing", "slot")} else timing.slot
    scrape = parts.metrics.scrape_interval if parts.metrics else 15.0
    signals = tuple(signal_of(name, part, marked, slot=slot, scrape=scrape) for name, part in parts.signals.items())
    check_names(tuple((signal.name, signal.alerts) for signal in signals), marked)
    rules = alerting(parts.alerts, marked)
    watches = watches_of(parts.watches, parts.mode, parts.names, marked)
    _check_reach(signals, timing, marked)
    _check_auth(parts.metrics, marked)
    check_retention(parts.retention, marked)
    check_journal(parts.journal, marked)
    check_notify(parts.notify, marked)
    if document is not None:
        check_teams(parts.notify.teams, frozenset(watch.team for watch in watches), marked)
    zone = document.spec.time_zone if document else "UTC"
    maintenance = windows(parts.maintenance, zone, marked)
    quiet = quiet_hours(tuple(parts.notify.quiet), zone, maintenance, marked)
    if marked.mistakes or document is None:
        return _sorted(marked)
    policy = replace(_policy(document, timing, signals, watches), maintenance=maintenance, quiet=quiet, alerting=rules)
    return replace(policy, digest=digest(policy))


def merged(marked: Marked) -> object:
    """The data of a text with its preset's signals under its own."""
    _with_preset(marked)
    return marked.data


def _sorted(marked: Marked) -> Mistakes:
    unique = dict.fromkeys(marked.mistakes)
    return tuple(sorted(unique, key=lambda mistake: (mistake.line, mistake.column)))


def _with_preset(marked: Marked) -> None:
    """Puts the preset's signals under the policy's own."""
    spec = _mapping(marked.data, "spec")
    name = spec.get("preset")
    if not isinstance(name, str):
        return
    if name not in preset.NAMES:
        words = f"one of the presets {', '.join(preset.NAMES)}"
        marked.wrong(("spec", "preset"), name, words, near=nearest(name, preset.NAMES))
        return
    own = spec.get("signals")
    spec["signals"] = preset.over(preset.signals(name), {} if own is None else own)


def _mapping(data: object, key: str) -> dict[str, object]:
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _items(data: dict[str, object], key: str) -> list[object]:
    found = data.get(key)
    return found if isinstance(found, list) else []


def _whole(spec: Spec) -> _Parts:
    return _Parts(
        mode=Mode(spec.mode),
        metrics=spec.metrics,
        watches=tuple(enumerate(spec.watch)),
        signals=spec.signals,
        names=frozenset(spec.signals),
        window=spec.window,
        join_window=spec.join_window,
        drain=spec.drain,
        timing=spec.timing,
        limits=spec.limits,
        notify=spec.notify,
        journal=spec.journal,
        alerts=spec.alerts,
        maintenance=tuple(enumerate(spec.maintenance)),
        retention=spec.retention,
    )


def _salvaged(marked: Marked) -> _Parts:
    spec = _mapping(marked.data, "spec")
    signals = _mapping(spec, "signals")

    def part(kind: type[T], value: object, *path: str | int) -> T | None:
        return salvage(kind, value, marked, ("spec", *path))

    def several(kind: type[T], key: str) -> tuple[tuple[int, T], ...]:
        found = ((index, part(kind, item, key, index)) for index, item in enumerate(_items(spec, key)))
        return tuple((index, item) for index, item in found if item is not None)

    fitting = {name: part(SignalPart, value, "signals", name) for name, value in signals.items()}
    return _Parts(
        mode=Mode.OBSERVE,
        metrics=part(Metrics, spec.get("metrics"), "metrics"),
        watches=several(WatchPart, "watch"),
        signals={name: signal for name, signal in fitting.items() if signal is not None},
        names=frozenset(signals),
        window=part(Window, spec.get("window"), "window") or Window(),
        join_window=_duration(spec.get("joinWindow")),
        drain=_duration(spec.get("drain")),
        timing=part(TimingPart, spec.get("timing"), "timing") or TimingPart(),
        limits=part(LimitsPart, spec.get("limits"), "limits") or LimitsPart(),
        notify=part(Notify, spec.get("notify"), "notify") or Notify(),
        journal=part(JournalPart, spec.get("journal"), "journal"),
        alerts=part(AlertsPart, spec.get("alerts"), "alerts") or AlertsPart(),
        maintenance=several(QuietPart, "maintenance"),
        retention=part(RetentionPart, spec.get("retention"), "retention") or RetentionPart(),
    )


def _duration(value: object) -> float | None:
    return durations.parse(value) if isinstance(value, str) else None


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _timing(parts: _Parts, marked: Marked) -> Timing:
    """The durations, with defaults that follow the scrape interval and the automatic part of the window."""
    scrape = parts.metrics.scrape_interval if parts.metrics else 15.0
    window, part, base = parts.window, parts.timing, Timing()
    automatic = _or(window.automatic, base.automatic)
    short = automatic < base.stabilization
    stabilization = _or(window.stabilization, automatic / 2 if short else base.stabilization)
    timing = Timing(
        tick=_or(part.tick, base.tick),
        slot=_or(part.slot, max(15.0, 2 * scrape)),
        lateness=_or(part.lateness, scrape + 5.0),
        adopted_after=_or(part.adopted_after, base.adopted_after),
        automatic=automatic,
        close=_or(window.close, max(base.close, automatic)),
        startup=_or(window.startup, min(base.startup, stabilization / 3)),
        stabilization=stabilization,
        plan_expiry=_or(part.plan_expiry, base.plan_expiry),
        recovery_within=_or(part.recovery.within, base.recovery_within),
        recovery_for=_or(part.recovery.for_, base.recovery_for),
        approval_within=_or(part.approval_within, base.approval_within),
        repeat_notice=_or(part.repeat_notice, base.repeat_notice),
        respond_within=parts.notify.respond.within,
        clock_offset_max=_or(part.clock_offset, base.clock_offset_max),
        join_within=_or(parts.join_window, min(base.join_within, automatic)),
        drain=_or(parts.drain, base.drain),
    )
    _check_timing(timing, 2 * scrape, marked)
    return timing


def _check_timing(timing: Timing, two_scrapes: float, marked: Marked) -> None:
    at_least = partial(_at_least, marked)
    at_least(("timing", "tick"), timing.tick, SHORTEST_TICK, "the shortest tick")
    at_least(("timing", "slot"), timing.slot, two_scrapes, "two scrape intervals", of=SCRAPE_INTERVAL)
    at_least(("window", "close"), timing.close, timing.automatic, "the automatic part", of=("window", "automatic"))
    at_least(("window", "stabilization"), timing.stabilization, timing.startup, "startup", of=("window", "startup"))
    long = ("window", "stabilization")
    at_least(("window", "automatic"), timing.automatic, timing.stabilization, "stabilization", of=long)
    if timing.join_within > timing.automatic and ("spec", "window", "automatic") not in marked.dropped:
        words = f"at most the automatic part of the window ({durations.format_(timing.automatic)})"
        marked.wrong(("spec", "joinWindow"), durations.format_(timing.join_within), words)
    recovery = ("timing", "recovery", "for")
    at_least(("timing", "recovery", "within"), timing.recovery_within, timing.recovery_for, "`for`", of=recovery)


def _at_least(
    marked: Marked, path: tuple[str, ...], value: float, least: float, words: str, *, of: tuple[str, ...] = ()
) -> None:
    """Notes a value under its least; not where either was itself wrong. `of` is the key that the least comes from."""
    if marked.dropped & {("spec", *path), ("spec", *of)}:
        return
    # a thousandth of slack: the sums are of decimal texts
    if value < least - 0.001:
        written = durations.format_(value)
        marked.wrong(("spec", *path), written, f"`{path[-1]}` of at least {words} ({durations.format_(least)})")


def _check_reach(signals: tuple[Signal, ...], timing: Timing, marked: Marked) -> None:
    """A level that decides must fit into the automatic part: else a bad release is called healthy before it can."""
    if ("spec", "window", "automatic") in marked.dropped:
        return
    automatic = durations.format_(timing.automatic)
    for signal in signals:
        longest = max((level.seconds for level in signal.levels if level.name is LevelName.ROLLBACK), default=0.0)
        if not signal.required or longest <= timing.automatic:
            continue
        lasting = durations.format_(longest)
        if marked.has(("spec", "window", "automatic")):
            words = f"`automatic` of at least the rollback level of the required signal `{signal.name}` ({lasting})"
            marked.wrong(("spec", "window", "automatic"), automatic, words)
        else:
            words = f"at most the automatic part of the window ({automatic}): else it is never reached in it"
            marked.wrong(("spec", "signals", signal.name, "levels", "rollback"), lasting, words)


def _check_auth(metrics: Metrics | None, marked: Marked) -> None:
    if metrics is None:
        return
    auth, path = metrics.auth, ("spec", "metrics", "auth")
    for first, second in (("username", "passwordFile"), ("certificateFile", "keyFile")):
        if marked.has((*path, first)) != marked.has((*path, second)):
            marked.wrong(
                path,
                first if marked.has((*path, first)) else second,
                f"both `{first}` and `{second}`, or neither",
                key=True,
            )
    if auth.bearer_token_file and auth.username:
        marked.wrong((*path, "username"), "username", "either a bearer token or a user name", key=True)
    if metrics.address.startswith("http://") and (auth.ca_file or auth.certificate_file):
        marked.wrong(("spec", "metrics", "address"), metrics.address, "an https address, for TLS files are given")


def _store(metrics: Metrics) -> MetricsStore:
    return MetricsStore(
        address=metrics.address,
        namespace_label=metrics.labels.namespace,
        pod_label=metrics.labels.pod,
        workload_label=metrics.labels.workload,
        match=metrics.match,
        auth=_secretish(metrics.auth),
        scrape_interval=metrics.scrape_interval,
        cluster_label=metrics.labels.cluster,
    )


def _secretish(auth: Auth) -> StoreAccess:
    return StoreAccess(
        bearer_token_file=auth.bearer_token_file or "",
        username=auth.username or "",
        password_file=auth.password_file or "",
        ca_file=auth.ca_file or "",
        certificate_file=auth.certificate_file or "",
        key_file=auth.key_file or "",
        headers=tuple(sorted(auth.headers.items())),
    )


def _limits(part: LimitsPart) -> Limits:
    base = Limits()
    return Limits(
        rollbacks=part.rollbacks or base.rollbacks,
        rollbacks_within=_or(part.within, base.rollbacks_within),
        fleet_units=part.fleet.units or base.fleet_units,
        fleet_within=_or(part.fleet.within, base.fleet_within),
    )


def _migration(part: MigrationPart | None) -> Migration | None:
    if part is None:
        return None
    return Migration(
        patterns=tuple(part.pattern) if isinstance(part.pattern, list) else (part.pattern,),
        interlock=MigrationInterlock(part.interlock),
        on_failure_roll_back=part.on_failure == "rollBack",
    )


def _policy(document: Document, timing: Timing, signals: tuple[Signal, ...], watches: tuple[Watch, ...]) -> Policy:
    spec = document.spec
    links: LinksPart = spec.links
    return Policy(
        name=document.metadata.name,
        digest="",
        cluster=spec.cluster,
        time_zone=spec.time_zone,
        metrics=_store(spec.metrics),
        watches=watches,
        signals=signals,
        timing=timing,
        limits=_limits(spec.limits),
        on_timeout_roll_back=spec.on_timeout == "rollBack",
        webhooks=webhooks_of(spec.notify),
        slack=slack_of(spec.notify),
        tickets=tickets_of(spec.notify.tickets),
        paging=paging_of(spec.notify.pagerduty),
        email=email_of(spec.notify.email, mails_of(spec.notify.teams)),
        journal=journal_of(spec.journal),
        notification_secrets=secrets_of(spec.notify),
        links=Links(dashboard=links.dashboard or "", runbook=links.runbook or ""),
        owners=Owners(gitops=OwnerRule(spec.gitops), helm=OwnerRule(spec.helm), secrets=SecretsAccess(spec.secrets)),
        migration=_migration(spec.migration),
        shared_roll_back=spec.shared == "rollBack",
        operations=operations_of(spec.contacts, spec.retention, spec.runbooks),
    )


def digest(policy: Policy) -> str:
    """SHA-256 of what the policy says, defaults and preset included, as 64 hexadecimal digits: the same for two texts
    that mean the same."""
    return hashlib.sha256(canonical(policy)).hexdigest()


def canonical(policy: Policy) -> bytes:
    """The JSON of what the policy says: what its digest is of."""
    return msgspec.json.encode(replace(policy, digest=""), order="sorted")


def restored(text: bytes, digest: str) -> Policy:
    """The policy of a canonical text that was kept under its digest. Raises ValueError where it is not that, or where
    it is of a version whose policies cannot be read here."""
    if hashlib.sha256(text).hexdigest() != digest:
        raise ValueError("the text is not the one that was kept")
    try:
        return replace(msgspec.json.decode(text, type=Policy), digest=digest)
    except msgspec.DecodeError as error:
        raise ValueError(f"it was kept by another version: {error}") from None

"""What Alertmanager's webhook sends, version 4, as our nouns. Pure: one bad alert of a delivery loses no other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from rollguard.model.alerting import Category, Delivered, ReceivedAlert, Severity
from rollguard.model.time import Instant
from rollguard.record.schema import INSTANT_PATTERN

VERSION = "4"
ALERTS_MAX = 10_000
"""Of one delivery: the reasons of more that cannot be read would fill the memory, and keep the Lease from being
renewed."""
NAME_MAX = 200
FINGERPRINT_MAX = 64
_FINGERPRINT = re.compile(rf"[0-9A-Za-z]{{1,{FINGERPRINT_MAX}}}", re.ASCII)
MANY = 1_000_000_000
"""As many as are told of those that Alertmanager left out: it may say any number."""
SUMMARY_MAX = 300
SHOWN = 80
"""Characters of a value that a reason repeats."""


class Malformed(ValueError):
    """The body is not a delivery; the text says where and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadAlert:
    """An alert that could not be read."""

    number: int
    """Its place in the delivery, from 0."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a body holds."""

    alerts: tuple[Delivered, ...]
    bad: tuple[BadAlert, ...]
    truncated: int
    """Alerts that Alertmanager itself left out (`max_alerts`)."""


class _Body(msgspec.Struct, rename="camel"):
    version: str
    alerts: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=ALERTS_MAX)]
    truncated_alerts: int = 0


class _Alert(msgspec.Struct, rename="camel"):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: str
    fingerprint: str
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    ends_at: str = ""


def read_delivery(body: bytes, *, now: Instant) -> Delivery:
    """The delivery, which came `now`; raises Malformed where it is none of version 4."""
    try:
        whole = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise Malformed(f"expected a webhook of Alertmanager, version {VERSION}: {problem}") from None
    if whole.version != VERSION:
        said = whole.version[:SHOWN]
        raise Malformed(f"version: expected {VERSION!r}, found {said!r}: other versions are not known here")
    alerts: list[Delivered] = []
    bad: list[BadAlert] = []
    for number, raw in enumerate(whole.alerts):
        try:
            alerts.append(_delivered(number, raw, now))
        except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
            bad.append(BadAlert(number=number, reason=str(problem)))
    return Delivery(alerts=tuple(alerts), bad=tuple(bad), truncated=min(max(whole.truncated_alerts, 0), MANY))


def _delivered(number: int, raw: msgspec.Raw, now: Instant) -> Delivered:
    alert = msgspec.json.decode(raw, type=_Alert)
    if not _FINGERPRINT.fullmatch(alert.fingerprint):
        said = _cut(alert.fingerprint)
        raise ValueError(f"fingerprint: expected up to {FINGERPRINT_MAX} letters and digits, found {said}")
    name = alert.labels.get("alertname", "")
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise ValueError(f"labels.alertname: expected a name of up to {NAME_MAX} characters, found {_cut(name)}")
    ended = _instant("endsAt", alert.ends_at) if alert.status == "resolved" else None
    received = ReceivedAlert(
        name=name,
        fingerprint=alert.fingerprint,
        deployment=alert.labels.get("deployment", ""),
        starts=_instant("startsAt", alert.starts_at),
        recorded=now,
        ended=ended,
        summary=_words(alert.annotations.get("summary", "")),
        inhibited=inhibited(alert.labels),
    )
    return Delivered(number=number, labels=tuple(sorted(alert.labels.items())), alert=received)


def inhibited(labels: Mapping[str, str]) -> bool:
    """Whether the rendered configuration of Alertmanager lets the guard's incident mute an alert with these labels."""
    return (labels.get("severity"), labels.get("category")) == (Severity.CRITICAL, Category.DEPLOYMENT)


def _instant(field: str, text: str) -> Instant:
    """To the millisecond, as records keep it."""
    try:
        if re.match(INSTANT_PATTERN, text, re.ASCII):
            return Instant(round(Instant.parse(text).seconds, 3))
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{field}: expected a time such as 2026-11-03T02:15:04Z, found {_cut(text)}")


def _words(text: str) -> str:
    """On one line, and no longer than a record has room for."""
    line = text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(line.split())
    return line if len(line) <= SUMMARY_MAX else line[: SUMMARY_MAX - 1] + "…"


def _cut(text: str) -> str:
    return repr(text[:SHOWN])

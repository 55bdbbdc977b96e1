"""Prometheus text exposition, written by hand: small, ordered and quick enough to run in an event loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LABEL_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})


@dataclass(slots=True)
class Family:
    """One metric family; `samples` holds (name suffix, labels, value) in the order of exposition."""

    name: str
    kind: str
    help: str
    samples: list[tuple[str, tuple[tuple[str, str], ...], float]] = field(default_factory=list)

    def add(self, value: float, /, suffix: str = "", **labels: str) -> None:
        self.samples.append((suffix, tuple(labels.items()), value))

    def add_labelled(self, value: float, labels: Mapping[str, str], suffix: str = "") -> None:
        self.samples.append((suffix, tuple(labels.items()), value))


def render(families: Iterable[Family]) -> bytes:
    """The families as one scrape body. A family without samples is left out."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        lines.append(f"# HELP {family.name} {family.help.translate(_HELP_ESCAPES)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines.extend(
            f"{family.name}{suffix}{_labels(labels)} {number(value)}" for suffix, labels, value in family.samples
        )
    lines.append("")
    return "\n".join(lines).encode()


def number(value: float) -> str:
    """A float as Prometheus writes it: integers without a fraction, `+Inf`, `-Inf`, `NaN`."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _labels(labels: Sequence[tuple[str, str]]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{value.translate(_LABEL_ESCAPES)}"' for name, value in labels) + "}"

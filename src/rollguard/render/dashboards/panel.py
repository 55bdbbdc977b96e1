"""What a dashboard is made of, in our words. How Grafana writes it is `grafana.py`'s affair."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollguard.render.places import Board


class PanelKind(StrEnum):
    """How a panel shows its queries, in Grafana's names."""

    TIME_SERIES = "timeseries"
    STAT = "stat"
    TABLE = "table"
    STATES = "state-timeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One PromQL expression with Grafana's variables in it."""

    promql: str
    legend: str = "__auto"
    """`{{label}}` stands for a label's value; `__auto` leaves it to Grafana. In a table the title of the column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A bound that is drawn."""

    bound: float
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a value means."""

    value: int
    text: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a panel or a dashboard leads."""

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. Its key names it in all texts of ours; its place on the grid follows from those before it."""

    key: str
    title: str
    description: str
    kind: PanelKind
    unit: str
    """Grafana's name of it: `percentunit`, `s`, `cpm` (per minute), `short`, ..."""
    queries: tuple[Query, ...]
    lines: tuple[Line, ...] = ()
    words: tuple[Word, ...] = ()
    none: str = ""
    """What is said where there is no value."""
    columns: tuple[str, ...] = ()
    """Of a table: the labels that are columns, by which the queries' rows are joined."""
    signal: str = ""
    """Whose alerts' runbooks it leads to, beside those of alerts that name this panel."""
    links: tuple[Link, ...] = ()
    width: int = 0
    """In columns; 0 shares a line evenly with its neighbours."""
    height: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels below one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Times that are marked in all panels: while the expression has values."""

    name: str
    colour: str
    promql: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """Values that a reader chooses among, asked of the metrics store."""

    name: str
    title: str
    promql: str
    """Grafana's `label_values(...)`."""
    several: bool = False
    """Several at once, and at first all of them."""
    first: str = ""
    """What is chosen at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard, before it is laid out."""

    uid: Board
    path: str
    """The file's name."""
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
    marks: tuple[Mark, ...]
    links: tuple[Link, ...]
    hours: int = 6
    """How much of the past it shows at first."""

"""Where a panel stands: the dashboards, the keys of their panels, and the numbers by which a link names one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum

from rollguard.model.policy import Links
from rollguard.model.signals import Signal
from rollguard.render.topics import Topic, topic


class Board(StrEnum):
    """A dashboard, by its uid."""

    DEPLOYMENTS = "deployment-monitoring"
    SYSTEM = "system-health"
    GUARD = "rollguard"


class Of(StrEnum):
    """Whose figures a signal's panel shows, as the panel's key begins."""

    WORKLOAD = "workload"
    """Of each chosen Deployment."""
    ALL = "all"
    """Of the namespace as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A panel of a dashboard."""

    board: Board
    key: str


STATUS = Place(board=Board.DEPLOYMENTS, key="deployment status")
PROGRESS = Place(board=Board.DEPLOYMENTS, key="rollout updated")
AUTOSCALERS = Place(board=Board.DEPLOYMENTS, key="autoscalers")
WAITING = Place(board=Board.DEPLOYMENTS, key="containers waiting")
MIGRATIONS = Place(board=Board.SYSTEM, key="migrations")
SCRAPED = Place(board=Board.SYSTEM, key="targets")
LEADING = Place(board=Board.GUARD, key="leading")
BLIND = Place(board=Board.GUARD, key="blind rollouts")
HELD = Place(board=Board.GUARD, key="holds unanswered")
STALLED = Place(board=Board.GUARD, key="stalled rollbacks")
INCIDENTS = Place(board=Board.GUARD, key="open incidents")
JOURNAL = Place(board=Board.GUARD, key="journal unreached")


def place_of(signal: Signal, quantile: float | None = None, *, whole: bool = False) -> Place:
    """The panel of a signal, with `whole` that of all Deployments together; of a histogram the one of that quantile.
    What belongs to no Deployment alone, or is about the database, a queue or workers, stands among the system's health;
    the rest with its Deployment."""
    found = topic(signal)
    if signal.shared or whole or found in (Topic.DATABASE, Topic.QUEUE):
        return Place(board=Board.SYSTEM, key=key_of(signal, Of.ALL, quantile))
    board = Board.SYSTEM if found is Topic.WORKERS else Board.DEPLOYMENTS
    return Place(board=board, key=key_of(signal, Of.WORKLOAD, quantile))


def address(board: Board, links: Links) -> str:
    """Of a dashboard: the policy names that of deployments, and the others are beside it; where it is not of Grafana's
    form `.../d/UID` it stands for all. Empty where the policy names none."""
    grafana, form, _ = links.dashboard.partition("/d/")
    return links.dashboard if board is Board.DEPLOYMENTS or not form else f"{grafana}/d/{board}"


def key_of(signal: Signal, of: Of, quantile: float | None = None) -> str:
    """The key of a signal's panel."""
    return f"{of} {signal.name} {percent(quantile)}".strip()


def percent(quantile: float | None) -> str:
    """`P95`; empty where there is none."""
    return f"P{quantile * 100:g}" if quantile else ""


def panel_id(key: str) -> int:
    """A number for the panel of that key, the same whatever panels stand beside it: links to one panel name it."""
    return zlib.crc32(key.encode()) & 0x7FFFFFFF

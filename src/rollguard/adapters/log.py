"""The structured log: one JSON object a line (or lines for people), and the notices' first channel."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog

from rollguard.model.channels import LOG
from rollguard.model.names import RolloutId, UnitName
from rollguard.model.notices import Notice
from rollguard.model.records import RolloutRecord, TimelineEntry
from rollguard.ports import Accepted


class StructuredLog:
    """Callable as the loop's `Log`. Every line has `timestamp` (UTC), `level` and `event`."""

    def __init__(self, *, lines: bool, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        colours = stream.isatty() and not os.environ.get("NO_COLOR")
        renderer = structlog.processors.JSONRenderer() if lines else structlog.dev.ConsoleRenderer(colors=colours)
        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(stream),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                renderer,
            ],
        )

    def __call__(self, event: str, fields: Mapping[str, str | int | float]) -> None:
        """Writes one line; a line with a traceback is an error, everything else is information."""
        if "traceback" in fields:
            self._logger.error(event, **fields)
        else:
            self._logger.info(event, **fields)


class LogNotifier:
    """A `Notifier` that writes the notice into the structured log. It is always there."""

    name = LOG

    def __init__(self, log: StructuredLog) -> None:
        self._log = log

    async def send(self, notice: Notice, rollout: RolloutRecord | None, *, timeout: float) -> Accepted:  # noqa: ARG002
        """Writes it; a log has no deadline and does not refuse."""
        fields: dict[str, str | int | float] = {
            "id": notice.id,
            "class": notice.class_.value,
            "topic": notice.topic,
            "title": notice.title,
            "text": notice.text,
        }
        if rollout is not None:
            fields |= {"rollout": rollout.id, "workload": str(rollout.workload), "state": rollout.state.value}
        self._log("notice", fields)
        return Accepted(detail="logged")

    async def close(self) -> None:
        """A log has no connection."""


class LogJournal:
    """A `Journal` that writes every decision's line into the structured log: the audit log."""

    def __init__(self, log: StructuredLog) -> None:
        self._log = log

    def append(self, unit: UnitName, rollout: RolloutId | None, entry: TimelineEntry) -> None:
        """Writes the entry with its unit and rollout."""
        self._log(
            "audit",
            {
                "unit": str(unit),
                "rollout": rollout or "",
                "kind": entry.kind,
                "text": entry.text,
                "actor": entry.actor,
                "at": entry.at.iso(),
            },
        )

    def problem(self) -> None:
        """A log has no database."""

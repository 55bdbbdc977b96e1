"""The structured log is one JSON object a line, notices and audit entries included."""

from __future__ import annotations

import io
import json

import pytest

from rollguard.adapters.log import LogJournal, LogNotifier, StructuredLog
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.records import TimelineEntry
from tests.unit.records import START, UNIT, rollout_record


async def test_a_notice_is_one_json_line_with_its_rollout() -> None:
    stream = io.StringIO()
    notifier = LogNotifier(StructuredLog(lines=True, stream=stream))
    notice = Notice(id="n-1", class_=NoticeClass.PAGE, topic="hold", title="t", text="two\nlines", at=START)
    await notifier.send(notice, rollout_record(), timeout=1)
    (line,) = stream.getvalue().splitlines()
    said = json.loads(line)
    assert (said["event"], said["class"], said["workload"]) == ("notice", "page", "production/translation")


def test_a_traceback_makes_an_error_line() -> None:
    stream = io.StringIO()
    StructuredLog(lines=True, stream=stream)("unit failed", {"traceback": "Traceback ..."})
    assert json.loads(stream.getvalue())["level"] == "error"


def test_the_audit_log_has_actor_time_and_text() -> None:
    stream = io.StringIO()
    entry = TimelineEntry(at=START, kind="human", text="frozen", actor="alice")
    LogJournal(StructuredLog(lines=True, stream=stream)).append(UNIT, None, entry)
    said = json.loads(stream.getvalue())
    assert (said["event"], said["actor"], said["at"]) == ("audit", "alice", "2026-11-03T02:00:00.000Z")


def test_lines_for_people_are_coloured_in_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(*, terminal: bool) -> str:
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
        StructuredLog(lines=False, stream=stream)("acquired", {"epoch": 3})
        return stream.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in written(terminal=True)
    assert "\x1b[" not in written(terminal=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in written(terminal=True)

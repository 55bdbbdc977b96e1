"""The structured log is one JSON object a line, notices and audit entries included."""

from __future__ import annotations

import io
import json

from rollguard.adapters.log import LogJournal, LogNotifier, StructuredLog
from rollguard.model.records import Notice, NoticeClass, TimelineEntry
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

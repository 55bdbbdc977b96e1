"""The documented JSON body of the generic webhook (docs/webhook.md)."""

from __future__ import annotations

import json

from rollguard.model.notices import Notice
from rollguard.model.records import Passage, RolloutRecord, Side

VERSION = "1"


def payload(notice: Notice, rollout: RolloutRecord | None) -> str:
    """The body as JSON text, keys sorted: one notice, one sequence of bytes."""
    body: dict[str, object] = {
        "version": VERSION,
        "id": notice.id,
        "class": notice.class_.value,
        "topic": notice.topic,
        "title": notice.title,
        "text": notice.text,
        "at": notice.at.iso(),
    }
    if rollout is not None:
        body["rollout"] = rollout_body(rollout)
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def rollout_body(rollout: RolloutRecord) -> dict[str, object]:
    """The rollout as bodies say it."""
    return {
        "id": rollout.id,
        "namespace": rollout.workload.namespace,
        "workload": rollout.workload.name,
        "kind": rollout.workload.kind.value,
        "started": rollout.started.iso(),
        "state": rollout.state.value,
        "verdict": rollout.verdict.value,
        "phase": rollout.phase.value,
        "mode": rollout.mode.value,
        "why": rollout.why,
        "would": [response.sentence() for response in rollout.would()],
        "fromRevision": rollout.baseline_number,
        "toRevision": rollout.target_number,
        "fromImages": dict(rollout.baseline_images),
        "toImages": dict(rollout.target_images),
        "outcome": None if rollout.outcome is None else rollout.outcome.value,
        "incident": rollout.incident or None,
        "members": [_member(passage) for passage in rollout.passages],
        "findings": [
            {
                "member": finding.member or None,
                "signal": finding.signal,
                "level": finding.level.value,
                "value": finding.value,
                "bound": finding.bound,
                "unit": finding.unit,
                "since": finding.since.iso(),
                "text": finding.text,
            }
            for finding in rollout.findings
        ],
    }


def _member(passage: Passage) -> dict[str, object]:
    return {
        "member": passage.member,
        "service": passage.service or None,
        "from": _side(passage.old),
        "to": _side(passage.new),
    }


def _side(side: Side) -> dict[str, object]:
    return {
        "colour": side.colour,
        "workload": side.workload.name,
        "revision": side.number,
        "images": dict(side.images),
    }

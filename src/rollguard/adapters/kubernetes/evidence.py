"""What is kept of a bad version's pods before they go: statuses, events, logs. Bounded, masked, within its time."""

from __future__ import annotations

import asyncio
import base64
import gzip
from dataclasses import dataclass

import msgspec

from rollguard.adapters.kubernetes import rights
from rollguard.adapters.kubernetes.api import Api, Lane, NoAnswer
from rollguard.adapters.kubernetes.masking import mask
from rollguard.model.action import Evidence
from rollguard.model.facts import Pod, UnitFacts
from rollguard.model.names import RolloutId
from rollguard.ports import Clock
from rollguard.record.codec import to_json
from rollguard.record.names import LABEL_ROLLOUT, label_value

PODS_MAX = 12
LOG_BYTES = 128 * 1024
LOG_LINES = 1000
PART_BYTES = 480 * 1024
"""Of gzip in one ConfigMap; with its base64 the object stays under etcd's limit."""
PARTS_MAX = 4
READING_SHARE = 0.7
"""Of the time; the rest is for writing what was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _LogRequest:
    pod: str
    container: str
    previous: bool

    @property
    def file(self) -> str:
        """Its name in the evidence."""
        return f"{self.pod}_{self.container}{'_previous' if self.previous else ''}.log"


async def save(api: Api, clock: Clock, rollout: RolloutId, facts: UnitFacts, *, timeout: float) -> Evidence:
    """Saves what can be read in time; `complete` is False, with the reason, where something is missing."""
    began = clock.mono()
    namespace = facts.unit.namespace
    files, problems = await _read(api, facts, timeout=timeout * READING_SHARE)
    parts = _parts(files)
    left = max(0.1, timeout - clock.mono().since(began))
    places = [(namespace, f"{rollout}-evidence-{n}") for n in range(1, len(parts) + 1)]
    outcomes = await asyncio.gather(
        *(_write(api, place, rollout, part, left) for place, part in zip(places, parts, strict=True))
    )
    problems += [f"{name}: {why}" for (_, name), why in zip(places, outcomes, strict=True) if why]
    names = [name for (_, name), why in zip(places, outcomes, strict=True) if not why]
    return Evidence(rollout=rollout, names=tuple(names), complete=not problems, detail="; ".join(problems)[:1000])


async def _read(api: Api, facts: UnitFacts, *, timeout: float) -> tuple[dict[str, str], list[str]]:
    files = {"pods.json": _json(facts.pods), "events.json": _json(facts.events), "workload.json": _json(facts.members)}
    files = {name: mask(text) for name, text in files.items()}
    wanted = _requests(facts)
    results = await asyncio.gather(*(_log(api, facts.unit.namespace, each, timeout) for each in wanted))
    problems = [] if facts.complete else [f"facts incomplete: {', '.join(facts.missing)}"]
    for request, (text, problem) in zip(wanted, results, strict=True):
        if text:
            files[request.file] = mask(text)
        if problem:
            problems.append(f"{request.file}: {problem}")
    return files, problems


def _requests(facts: UnitFacts) -> list[_LogRequest]:
    """The newest revision's pods first: they are the ones that go."""
    target = facts.members[0].target() if facts.members else None
    bad_first = sorted(facts.pods, key=lambda pod: (target is None or pod.revision != target.hash, pod.ready))
    return [
        _LogRequest(pod=pod.name, container=container.name, previous=previous)
        for pod in bad_first[:PODS_MAX]
        for container in pod.containers
        for previous in ((False, True) if container.restarts else (False,))
        if _has_log(pod, container.name)
    ]


def _has_log(pod: Pod, name: str) -> bool:
    container = next(each for each in pod.containers if each.name == name)
    return container.ready or container.restarts > 0 or not container.waiting_reason


async def _log(api: Api, namespace: str, request: _LogRequest, timeout: float) -> tuple[str, str]:
    params = {
        "container": request.container,
        "limitBytes": str(LOG_BYTES),
        "tailLines": str(LOG_LINES),
        "timestamps": "true",
        **({"previous": "true"} if request.previous else {}),
    }
    try:
        reply = await api.send(
            rights.READ_LOGS, namespace, request.pod, params=params, timeout=timeout, lane=Lane.READING
        )
    except NoAnswer as error:
        return "", str(error)
    if reply.status in (400, 404):
        # The container has not started, or its earlier run's log is already gone: there is nothing to save.
        return reply.message(), ""
    return (reply.body.decode(errors="replace"), "") if reply.ok else ("", reply.message())


def _parts(files: dict[str, str]) -> list[bytes]:
    """All files as gzip of JSON, in parts of whole files each within its size; too large a file is cut at its start."""
    parts: list[dict[str, str]] = [{}]
    packed: list[bytes] = [b""]
    for name, text in files.items():
        tried = {**parts[-1], name: text}
        content = _pack(tried)
        if len(content) > PART_BYTES and parts[-1]:
            if len(parts) == PARTS_MAX:
                break
            parts.append({})
            packed.append(b"")
            tried = {name: text}
            content = _pack(tried)
        end = text
        while len(content) > PART_BYTES:
            end = end[len(end) // 2 :]
            tried = {**parts[-1], name: end}
            content = _pack(tried)
        parts[-1], packed[-1] = tried, content
    return packed


def _pack(files: dict[str, str]) -> bytes:
    return gzip.compress(msgspec.json.encode(files), mtime=0)


async def _write(api: Api, place: tuple[str, str], rollout: RolloutId, part: bytes, timeout: float) -> str:
    """Empty where the ConfigMap is there (one of that name is this one, from an earlier try), else the reason."""
    namespace, name = place
    body = msgspec.json.encode(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {LABEL_ROLLOUT: label_value(rollout)},
            },
            "binaryData": {"evidence.json.gz": base64.b64encode(part).decode()},
        }
    )
    try:
        reply = await api.send(rights.CREATE_CONFIGMAP, namespace, body=body, timeout=timeout)
    except NoAnswer as error:
        return str(error)
    return "" if reply.ok or reply.status == 409 else reply.message()


def _json(value: object) -> str:
    return msgspec.json.encode(to_json(value)).decode()

"""What is kept of a bad version's pods before they go: statuses, events, logs. Bounded, masked, within its time."""

from __future__ import annotations

import asyncio
import base64
import gzip
from dataclasses import dataclass, replace

import msgspec

from rollguard.adapters.kubernetes.acting.masking import mask
from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.connection.api import Api, Lane, NoAnswer
from rollguard.model.action import Evidence
from rollguard.model.facts import Pod, UnitFacts, Workload
from rollguard.model.names import RolloutId, TemplateHash
from rollguard.ports import Clock
from rollguard.record.codec import to_json
from rollguard.record.names import LABEL_ROLLOUT, label_value

PODS_MAX = 12
LOG_BYTES = 128 * 1024
LOG_LINES = 1000
PART_BYTES = 480 * 1024
"""Of gzip in one ConfigMap; with its base64 the object stays under etcd's limit."""
PARTS_MAX = 4
STEM_MAX = 230
READING_SHARE = 0.7
"""Of the time; the rest is for writing what was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _LogRequest:
    pod: str
    container: str
    previous: bool

    @property
    def file(self) -> str:
        """Its name in the evidence; a key of a ConfigMap has at most 253 characters."""
        return f"{self.pod[-150:]}_{self.container}{'_previous' if self.previous else ''}.log"


async def save(
    api: Api, clock: Clock, rollout: RolloutId, facts: UnitFacts, *, bad: frozenset[TemplateHash], timeout: float
) -> Evidence:
    """Saves what can be read in time; `complete` is False, with the reason, where something is missing."""
    began = clock.mono()
    namespace = facts.unit.namespace
    files, problems = await _read(api, facts, bad, timeout=timeout * READING_SHARE)
    parts, left_out = _parts(files)
    problems += [f"{name}: left out for its size" for name in left_out]
    left = timeout - clock.mono().since(began)
    stem = rollout[:STEM_MAX].rstrip("-.")
    places = [(namespace, f"{stem}-evidence-{n}") for n in range(1, len(parts) + 1)]
    outcomes = await asyncio.gather(
        *(_write(api, place, rollout, part, left) for place, part in zip(places, parts, strict=True))
    )
    problems += [f"{name}: {why}" for (_, name), why in zip(places, outcomes, strict=True) if why]
    names = [name for (_, name), why in zip(places, outcomes, strict=True) if not why]
    return Evidence(rollout=rollout, names=tuple(names), complete=not problems, detail="; ".join(problems)[:1000])


async def _read(
    api: Api, facts: UnitFacts, bad: frozenset[TemplateHash], *, timeout: float
) -> tuple[dict[str, bytes], list[str]]:
    """Masked and compressed files by name, the facts first, and what could not be read."""
    members = tuple(_without_templates(member) for member in facts.members)
    known = {"pods.json": facts.pods, "events.json": facts.events, "workload.json": members}
    if facts.services or facts.autoscalers:
        known |= {"services.json": facts.services, "autoscalers.json": facts.autoscalers}
    files = {f"{name}.gz": await asyncio.to_thread(_pack, _json(value)) for name, value in known.items()}
    wanted = _requests(facts.pods, bad)
    results = await asyncio.gather(*(_log(api, facts.unit.namespace, each, timeout) for each in wanted))
    problems = [] if facts.complete else [f"facts incomplete: {', '.join(facts.missing)}"]
    for request, (text, problem) in zip(wanted, results, strict=True):
        if text:
            files[f"{request.file}.gz"] = await asyncio.to_thread(_pack, text)
        if problem:
            problems.append(f"{request.file}: {problem}")
    return files, problems


def _without_templates(member: Workload) -> Workload:
    """Templates hold whatever people write into `env`; the cluster keeps them anyway, as ReplicaSets."""
    revisions = tuple(replace(each, template=replace(each.template, body="")) for each in member.revisions)
    return replace(member, template=replace(member.template, body=""), revisions=revisions)


def _requests(pods: tuple[Pod, ...], bad: frozenset[TemplateHash]) -> list[_LogRequest]:
    """The bad revisions' pods first: they are the ones that go. Of those alike, each revision has its turn."""
    number: dict[str, int] = {}
    order: dict[str, tuple[bool, int]] = {}
    for pod in sorted(pods, key=lambda pod: pod.ready):
        revision = f"{pod.workload} {pod.revision}"
        number[revision] = number.get(revision, 0) + 1
        order[pod.uid] = (pod.revision not in bad, number[revision])
    return [
        _LogRequest(pod=pod.name, container=container.name, previous=previous)
        for pod in sorted(pods, key=lambda pod: order[pod.uid])[:PODS_MAX]
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


def _parts(files: dict[str, bytes]) -> tuple[list[dict[str, bytes]], list[str]]:
    """The files over as few ConfigMaps as hold them, in order, and the names of those for which there is no room."""
    parts: list[dict[str, bytes]] = [{}]
    left_out: list[str] = []
    for name, content in files.items():
        if _size(parts[-1]) + len(content) > PART_BYTES and len(parts) < PARTS_MAX:
            parts.append({})
        if _size(parts[-1]) + len(content) > PART_BYTES:
            left_out.append(name)
        else:
            parts[-1][name] = content
    return [part for part in parts if part], left_out


def _size(part: dict[str, bytes]) -> int:
    return sum(len(content) for content in part.values())


def _pack(text: str) -> bytes:
    return gzip.compress(mask(text).encode(), mtime=0)


async def _write(api: Api, place: tuple[str, str], rollout: RolloutId, part: dict[str, bytes], timeout: float) -> str:
    """Empty where the ConfigMap is there (one of that name is this one, from an earlier try), else the reason."""
    if timeout <= 0:
        return "no time was left to write it"
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
            "binaryData": {name: base64.b64encode(content).decode() for name, content in part.items()},
        }
    )
    try:
        reply = await api.send(rights.CREATE_CONFIGMAP, namespace, body=body, timeout=timeout)
    except NoAnswer as error:
        return str(error)
    return "" if reply.ok or reply.status == 409 else reply.message()


def _json(value: object) -> str:
    return msgspec.json.encode(to_json(value)).decode()

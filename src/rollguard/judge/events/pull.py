"""Image pull: the new revision's image cannot be had, and it is the image's fault, not the registry's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from rollguard.judge.events.crash import new_pods
from rollguard.judge.memory import PullCause
from rollguard.judge.reference import NO_REFERENCE
from rollguard.model.facts import Container, Pod
from rollguard.model.judgement import Attribution, Finding, Observation
from rollguard.model.signals import LevelName
from rollguard.model.time import Instant

FAILING = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
NODES_ENOUGH = 2


class Cause(StrEnum):
    """Why an image cannot be pulled."""

    INVALID = "invalid name"
    NOT_FOUND = "not found"
    UNAUTHORISED = "unauthorised"
    REGISTRY = "the registry does not answer"
    NODE = "the node cannot unpack or keep it"


# A refusal for load or an unreachable registry is looked for first: "not found" may be said of a host or of a cache.
_PATTERNS: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (Cause.INVALID, re.compile(r"invalid reference format|couldn't parse image|invalid image name|invalidimagename")),
    (
        # A node's own store in trouble says "not found" too, of a snapshot or of a layer that it had.
        Cause.NODE,
        re.compile(
            r"snapshot|content digest|content store|extract layer|no space left|input/output error"
            r"|read-only file system"
        ),
    ),
    (
        Cause.REGISTRY,
        re.compile(
            r"\b429\b|\b5\d\d\b|toomanyrequests|too many requests|pull qps exceeded|rate limit|internal server error"
            r"|bad gateway|service unavailable|gateway time-?out|timeout|timed out|deadline exceeded"
            r"|connection refused|connection reset|no such host|dial tcp|no route to host|network is unreachable"
            r"|tls handshake|unexpected eof|x509|temporary failure|registryunavailable|server misbehaving"
        ),
    ),
    (
        Cause.UNAUTHORISED,
        re.compile(r"\b401\b|\b403\b|unauthori[sz]ed|authori[sz]ation|authentication required|forbidden|denied"),
    ),
    (
        Cause.NOT_FOUND,
        re.compile(
            r"\b404\b|not found|manifest unknown|name unknown|no such image|no match for platform"
            r"|no matching manifest|does not exist|errimageneverpull"
        ),
    ),
)


def classify(reason: str, message: str, image: str) -> Cause | None:
    """What the reason and message of a failed pull say; None where they say nothing (a mere back-off)."""
    text = f"{reason} {message}".replace(image, "").lower()
    # Names and digests hold figures that are no status codes.
    text = re.sub(r'"[^"]*"|sha256:[0-9a-f]+|[a-z]+://\S+', " ", text)
    return next((cause for cause, pattern in _PATTERNS if pattern.search(text)), None)


@dataclass(frozen=True, slots=True)
class _Failing:
    pod: Pod
    container: Container
    cause: Cause
    since: Instant


def pulls_seen(known: tuple[PullCause, ...], observation: Observation) -> tuple[PullCause, ...]:
    """Why the images of the new pods that cannot be pulled cannot: the cause may have stood in an earlier status."""
    before = {(pull.pod_uid, pull.container): pull for pull in known}
    found: list[PullCause] = []
    for pod in new_pods(observation):
        for container in pod.containers:
            if not container.in_template or container.waiting_reason not in FAILING:
                continue
            old = before.get((pod.uid, container.name))
            cause = _cause(pod, container, observation)
            if cause is None and old is not None:
                found.append(old)
            elif cause is not None:
                since = old.since if old is not None else observation.now.seconds
                found.append(PullCause(pod_uid=pod.uid, container=container.name, cause=cause.value, since=since))
    return tuple(found)


def _cause(pod: Pod, container: Container, observation: Observation) -> Cause | None:
    own = classify(container.waiting_reason, container.waiting_message, container.image)
    if own is not None:
        return own
    told = sorted(
        (e for e in observation.facts.events if e.pod == pod.name and container.image in e.message),
        key=lambda e: e.last_seen,
        reverse=True,
    )
    causes = (classify("", event.message, container.image) for event in told)
    return next((cause for cause in causes if cause is not None), None)


def image_pull(
    signal: str, level: LevelName, pulls: tuple[PullCause, ...], observation: Observation
) -> tuple[Finding, ...]:
    """One finding for the unit, or none: on two nodes or for all new pods, and whose fault it is."""
    known = {(pull.pod_uid, pull.container): pull for pull in pulls}
    failing = [
        _Failing(pod, container, Cause(pull.cause), Instant(pull.since))
        for pod in new_pods(observation)
        for container in pod.containers
        if (pull := known.get((pod.uid, container.name))) is not None
    ]
    release = [f for f in failing if _is_releases(f, observation)]
    nodes = [f for f in failing if f.cause is Cause.NODE]
    for group, attribution in (
        (release, Attribution.RELEASE),
        (nodes, Attribution.NODE),
        (failing, Attribution.REGISTRY),
    ):
        if group and _everywhere(group, observation):
            return (_finding(signal, level, group, attribution, observation),)
    return ()


def _everywhere(group: list[_Failing], observation: Observation) -> bool:
    nodes = {f.pod.node for f in group if f.pod.node}
    scheduled = {pod.uid for pod in new_pods(observation) if pod.node}
    return len(nodes) >= NODES_ENOUGH or scheduled <= {f.pod.uid for f in group}


def _is_releases(failing: _Failing, observation: Observation) -> bool:
    if failing.cause is Cause.UNAUTHORISED:
        return _registry_still_pulls(failing.container.image, observation)
    return failing.cause in {Cause.NOT_FOUND, Cause.INVALID}


def _registry_still_pulls(image: str, observation: Observation) -> bool:
    """Another image of that registry came to a pod that was made since the rollout began. Pods from before it prove
    nothing: they pulled before the secret expired."""
    return any(
        container.image != image
        and registry_of(container.image) == registry_of(image)
        and bool(container.image_id)
        and container.waiting_reason not in FAILING
        for pod in observation.facts.pods
        if pod.created >= observation.rollout.started or pod.revision == observation.arms.new
        for container in pod.containers
    )


def registry_of(image: str) -> str:
    """The registry's host: what stands before the first slash if it looks like a host, else Docker's."""
    first, slash, _rest = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def _finding(
    signal: str, level: LevelName, group: list[_Failing], attribution: Attribution, observation: Observation
) -> Finding:
    first = group[0]
    pods, every = {f.pod.uid for f in group}, new_pods(observation)
    nodes = {f.pod.node for f in group if f.pod.node}
    text = (
        f"{signal}: image {first.container.image} cannot be pulled ({first.cause.value}) "
        f"by {len(pods)} of {len(every)} new pods on {len(nodes)} nodes, "
        f"bound {NODES_ENOUGH} nodes or all new pods"
    )
    if attribution is Attribution.REGISTRY:
        text += "; this may be the registry or its credentials, not the release"
    elif attribution is Attribution.NODE:
        text += "; this may be the node's disk or image store, not the release"
    return Finding(
        signal=signal,
        level=level,
        value=float(len(pods)),
        bound=float(min(NODES_ENOUGH, len(every))),
        unit="pods",
        text=text,
        since=min(f.since for f in group),
        slots=0,
        bad=float(len(pods)),
        total=float(len(every)),
        arm="new pods",
        reference=NO_REFERENCE,
        attribution=attribution,
    )

"""Pod templates in canonical form: the same template has the same digest wherever it was read."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from rollguard.model.facts import Template
from rollguard.observe import references

HASH_LABEL = "pod-template-hash"
CAPACITY = 100_000


def template_of(raw: bytes | msgspec.Raw) -> Template:
    """The template in this JSON. Raises msgspec.DecodeError for what is none."""
    whole: dict[str, Any] = msgspec.json.decode(raw)
    metadata: dict[str, Any] = _without(whole.get("metadata") or {}, "creationTimestamp")
    labels = _without(metadata.get("labels") or {}, HASH_LABEL)
    metadata = {**metadata, "labels": labels} if labels else _without(metadata, "labels")
    body = _canonical({**whole, "metadata": metadata})
    bare = _canonical({**whole, "metadata": _without(metadata, "annotations")})
    spec: dict[str, Any] = whole.get("spec") or {}
    return Template(
        body=body,
        digest=_digest(body),
        bare_digest=_digest(bare),
        images=tuple(
            (sys.intern(str(container.get("name", ""))), sys.intern(str(container.get("image", ""))))
            for key in ("initContainers", "containers")
            for container in spec.get(key) or ()
        ),
        sidecars=tuple(
            sys.intern(str(container.get("name", "")))
            for container in spec.get("initContainers") or ()
            if container.get("restartPolicy") == "Always"
        ),
        config=references(body),
    )


class Templates:
    """Templates already seen, so that equal ones are kept once: each revision has one, and most never change."""

    def __init__(self) -> None:
        self._by_raw: dict[bytes, Template] = {}
        self._by_digest: dict[str, Template] = {}

    def of(self, raw: msgspec.Raw) -> Template:
        """The template in this JSON."""
        key = hashlib.blake2b(bytes(raw), digest_size=16).digest()
        found = self._by_raw.get(key)
        if found is None:
            if len(self._by_raw) > CAPACITY:
                self._by_raw.clear()
                self._by_digest.clear()
            made = template_of(raw)
            # A ReplicaSet's JSON differs from its Deployment's by a label only: both share one template.
            found = self._by_raw[key] = self._by_digest.setdefault(made.digest, made)
        return found


def _without(section: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name != key}


def _canonical(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

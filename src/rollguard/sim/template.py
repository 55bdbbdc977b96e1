"""Pod templates: how the simulated API server writes them and what the core sees of them."""

from __future__ import annotations

import hashlib
import json
import re
from copy import deepcopy
from functools import lru_cache

from rollguard.model.facts import Template
from rollguard.model.names import TemplateHash
from rollguard.sim.json_patch import JsonObject, JsonValue

HASH_LABEL = "pod-template-hash"
_CONFIG_MAP = re.compile(r'"configMapRef":\{"name":"([^"]+)"\}')
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def pod_template(
    app: str,
    image: str,
    *,
    labels: tuple[tuple[str, str], ...] = (),
    annotations: tuple[tuple[str, str], ...] = (),
    config: str = "",
) -> JsonObject:
    """A template with one container `app` of that image, which reads the ConfigMap `config` where one is named."""
    metadata: JsonObject = {"labels": {"app": app, **dict(labels)}}
    if annotations:
        metadata["annotations"] = dict(annotations)
    container: JsonObject = {"name": "app", "image": image, "ports": [{"containerPort": 8080}]}
    if config:
        container["envFrom"] = [{"configMapRef": {"name": config}}]
    return {"metadata": metadata, "spec": {"containers": [container]}}


def canonical(value: JsonValue) -> str:
    """JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def template_of(raw: JsonObject) -> Template:
    """What the core sees of a template as the server gives it."""
    return _template(canonical(raw))


@lru_cache(maxsize=4096)
def _template(text: str) -> Template:
    raw: JsonObject = json.loads(text)
    labels = _child(_child(raw, "metadata"), "labels")
    labels.pop(HASH_LABEL, None)
    body = canonical(raw)
    bare = deepcopy(raw)
    _child(bare, "metadata").pop("annotations", None)
    spec = _child(raw, "spec")
    return Template(
        body=body,
        digest=hashlib.sha256(body.encode()).hexdigest(),
        bare_digest=hashlib.sha256(canonical(bare).encode()).hexdigest(),
        images=(*_images(spec, "initContainers"), *_images(spec, "containers")),
        config=tuple(f"ConfigMap/{name}" for name in _CONFIG_MAP.findall(body)),
    )


def labels_of(raw: JsonObject) -> dict[str, str]:
    """The labels of a template's pods."""
    return {key: str(value) for key, value in _child(_child(raw, "metadata"), "labels").items()}


def hash_of(template: Template) -> TemplateHash:
    """The value of `pod-template-hash` that the Deployment controller would give its ReplicaSet."""
    number = int(template.digest[:14], 16)
    letters = []
    for _ in range(10):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return TemplateHash("".join(letters))


def _child(parent: JsonObject, key: str) -> JsonObject:
    child = parent.get(key)
    return child if isinstance(child, dict) else {}


def _images(spec: JsonObject, key: str) -> tuple[tuple[str, str], ...]:
    containers = spec.get(key)
    if not isinstance(containers, list):
        return ()
    return tuple(
        (str(container.get("name")), str(container.get("image")))
        for container in containers
        if isinstance(container, dict)
    )

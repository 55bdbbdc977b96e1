"""A GuardPolicy object of the cluster: judged by the same reader as a file, and told of by key instead of by line."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from rollguard.model.policy import Policy
from rollguard.policy.mistakes import Mistakes
from rollguard.policy.resolve import load
from rollguard.policy.yaml_text import Path, read


class _Named(msgspec.Struct):
    name: str = ""
    namespace: str = ""


class _Object(msgspec.Struct, rename="camel"):
    # a list leaves out what all of its items are
    api_version: str = "rollguard.dev/v1alpha1"
    kind: str = "GuardPolicy"
    metadata: _Named = msgspec.field(default_factory=_Named)
    spec: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))


def load_object(text: bytes) -> Policy | Mistakes:
    """The policy of the object's JSON, or all that is wrong with it. Raises msgspec.DecodeError where it is no JSON."""
    found = msgspec.json.decode(text, type=_Object)
    # one key in a line: a long line would be no valid YAML
    plain = msgspec.json.format(msgspec.json.encode(found), indent=1).decode()
    where = f"{found.metadata.namespace}/{found.metadata.name}"
    loaded = load(plain, where)
    if isinstance(loaded, Policy):
        return loaded
    marked = read(plain, where)
    keys = {place.key: path for path, place in marked.places.items()}
    values = {place.value: path for path, place in marked.places.items()}
    places = {mark: path_text(path) for mark, path in (*values.items(), *keys.items())}
    return tuple(
        replace(mistake, line=0, column=0, path=places.get((mistake.line - 1, mistake.column - 1), ""))
        for mistake in loaded
    )


def path_text(path: Path) -> str:
    """`spec.watch[0].mode`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".") or "the object"

"""The server's version, and whether our objects are there as this version makes them."""

from __future__ import annotations

import asyncio
import re

import msgspec

from rollguard.adapters.kubernetes.survey.asking import Asking, Url, reading
from rollguard.doctor.facts import Installed, Presence, ServerVersion
from rollguard.model.action import Absent, Unknown
from rollguard.model.documents import Json
from rollguard.model.permissions import Scope
from rollguard.record import manifests

VERSION = Url(
    group="", version="", resource="", verb="get", why="the server's version", scope=Scope.CLUSTER, url="/version"
)
DEFINITION = "CustomResourceDefinition"
_RESOURCES = {
    DEFINITION: ("apiextensions.k8s.io", "customresourcedefinitions"),
    "ValidatingAdmissionPolicy": ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
}


class _Version(msgspec.Struct, rename="camel"):
    major: str = ""
    minor: str = ""
    git_version: str = ""


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""
    message: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] | None = None


class _Definition(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


async def version(asking: Asking) -> ServerVersion | Unknown:
    """What /version says. A minor such as `30+` is read as 30."""
    found = await asking.get(VERSION, "", "")
    if isinstance(found, Unknown):
        return found
    if isinstance(found, Absent):
        return Unknown(detail="the server has no /version")
    said = msgspec.json.decode(found, type=_Version)
    numbers = [re.match(r"\d+", text) for text in (said.major, said.minor)]
    major, minor = (int(number[0]) if number else -1 for number in numbers)
    if major < 0 or minor < 0:
        return Unknown(detail=f"the server's version is not a number: {said.git_version!r}")
    return ServerVersion(major=major, minor=minor, text=said.git_version)


async def installed(asking: Asking) -> tuple[Installed, ...]:
    """Each object that `manifests` makes, in that order."""
    return tuple(await asyncio.gather(*(_one(asking, manifest) for manifest in manifests())))


async def _one(asking: Asking, wanted: dict[str, Json]) -> Installed:
    kind, name = str(wanted["kind"]), _name(wanted)
    group, resource = _RESOURCES[kind]
    found = await asking.get(reading(group, "v1", resource, "get", Scope.CLUSTER), "", name)
    if isinstance(found, Absent):
        return Installed(kind=kind, name=name, presence=Presence.ABSENT)
    if isinstance(found, Unknown):
        return Installed(kind=kind, name=name, presence=found)
    there: Json = msgspec.json.decode(found)
    different = difference(wanted["spec"], there.get("spec") if isinstance(there, dict) else None, "spec")
    if different:
        return Installed(kind=kind, name=name, presence=Presence.DIFFERENT, detail=f"{different} is not as ours")
    if kind == DEFINITION:
        problem = _not_established(found)
        if problem is not None:
            return Installed(kind=kind, name=name, presence=Presence.NOT_SERVED, detail=problem)
    return Installed(kind=kind, name=name, presence=Presence.SAME)


def difference(ours: Json, theirs: Json, path: str) -> str:
    """The path of the first thing that differs, empty where none does. What the server adds by itself in objects does
    not count, except in a schema: there each property is ours."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return path
        if path.endswith("properties") and (more := sorted(set(theirs) - set(ours))):
            return f"{path}.{more[0]}"
        found = (difference(value, theirs.get(key), f"{path}.{key}") for key, value in ours.items())
        return next((each for each in found if each), "")
    if isinstance(ours, list):
        if not isinstance(theirs, list) or len(theirs) != len(ours):
            return path
        pairs = zip(ours, theirs, strict=True)
        found = (difference(mine, other, f"{path}[{n}]") for n, (mine, other) in enumerate(pairs))
        return next((each for each in found if each), "")
    return "" if ours == theirs else path


def _not_established(found: bytes) -> str | None:
    """Why the definition is not served; None where it is."""
    conditions = msgspec.json.decode(found, type=_Definition).status.conditions or []
    if any(each.type == "Established" and each.status == "True" for each in conditions):
        return None
    return "; ".join(each.message for each in conditions if each.status == "False" and each.message)


def _name(manifest: dict[str, Json]) -> str:
    metadata = manifest["metadata"]
    return str(metadata["name"]) if isinstance(metadata, dict) else ""

"""Puts the definitions and the admission policy into a cluster, and waits until the server enforces them."""

from __future__ import annotations

import msgspec

from rollguard.adapters.kubernetes.api import APPLY_PATCH, MANAGER, Api
from rollguard.adapters.kubernetes.rights import Right
from rollguard.model.permissions import Scope
from rollguard.ports import Clock
from rollguard.record import Json, manifests
from rollguard.record.names import API_VERSION, UNIT_KIND

POLL_S = 0.1
TIMEOUT_S = 60.0
PROBE = "rollguard-install-probe"

_KINDS = {
    "CustomResourceDefinition": ("apiextensions.k8s.io", "customresourcedefinitions"),
    "ValidatingAdmissionPolicy": ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
}


class InstallError(Exception):
    """The cluster did not take a manifest, or does not enforce it; the text has the server's words."""


class _Condition(msgspec.Struct):
    type: str
    status: str
    message: str = ""


class _Status(msgspec.Struct):
    conditions: list[_Condition] | None = None


class _Definition(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


async def install_manifests(api: Api, clock: Clock, *, namespace: str = "default") -> tuple[str, ...]:
    """Applies all manifests (again is harmless) and returns their names when the server serves the objects and
    refuses a false actor. Needs an administrator. Raises InstallError, and NoAnswer for an unreachable server."""
    names = []
    for manifest in manifests():
        kind, name = str(manifest["kind"]), _name(manifest)
        right = _right(kind, "patch")
        reply = await api.send(
            right,
            "",
            name,
            params={"fieldManager": MANAGER, "force": "true"},
            body=msgspec.json.encode(manifest),
            content_type=APPLY_PATCH,
        )
        if not reply.ok:
            raise InstallError(f"{kind} {name}: {reply.message()}")
        names.append(f"{kind}/{name}")
    for manifest in manifests():
        if manifest["kind"] == "CustomResourceDefinition":
            await _established(api, clock, _name(manifest))
    await _enforced(api, clock, namespace)
    return tuple(names)


async def _established(api: Api, clock: Clock, name: str) -> None:
    deadline = clock.mono().plus(TIMEOUT_S)
    right = _right("CustomResourceDefinition", "get")
    while True:
        reply = await api.send(right, "", name)
        found = msgspec.json.decode(reply.body, type=_Definition).status.conditions or [] if reply.ok else []
        if any(each.type == "Established" and each.status == "True" for each in found):
            return
        if clock.mono() > deadline:
            raise InstallError(f"{name} was not established: {[each.message for each in found]}")
        await clock.sleep_until(clock.mono().plus(POLL_S))


async def _enforced(api: Api, clock: Clock, namespace: str) -> None:
    """Tries, without effect, to write as somebody else until that is refused."""
    request = {"id": "probe", "kind": "acknowledge", "actor": PROBE, "at": clock.now().iso(), "reason": "probe"}
    body = msgspec.json.encode(
        {
            "apiVersion": API_VERSION,
            "kind": UNIT_KIND,
            "metadata": {"name": PROBE, "namespace": namespace},
            "spec": {"requests": [request]},
        }
    )
    right = Right(group="rollguard.dev", version="v1alpha1", resource="guardedunits", verb="create", why="probe")
    deadline = clock.mono().plus(TIMEOUT_S)
    while True:
        reply = await api.send(right, namespace, params={"dryRun": "All"}, body=body)
        if reply.status == 403 and "the actor" in reply.message():
            return
        if clock.mono() > deadline:
            raise InstallError(f"the admission policy is not enforced: {reply.message()}")
        await clock.sleep_until(clock.mono().plus(POLL_S))


def _right(kind: str, verb: str) -> Right:
    group, resource = _KINDS[kind]
    return Right(group=group, version="v1", resource=resource, verb=verb, why="installing", scope=Scope.CLUSTER)


def _name(manifest: dict[str, Json]) -> str:
    metadata = manifest["metadata"]
    return str(metadata["name"]) if isinstance(metadata, dict) else ""

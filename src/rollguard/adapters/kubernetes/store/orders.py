"""What people's commands write: entries of `spec.requests` and `spec.freeze`, each by compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from rollguard.adapters.kubernetes.connection.api import JSON_PATCH, Api, NoAnswer, Reply
from rollguard.adapters.kubernetes.connection.rights import PATCH_UNIT, Right
from rollguard.model.action import Absent, Applied, Conflict, Rejected, Unknown, WriteOutcome
from rollguard.model.names import UnitName
from rollguard.model.permissions import Scope
from rollguard.model.records import EVERYTHING
from rollguard.model.requests import Freeze, HumanRequest
from rollguard.ports import Clock
from rollguard.record import freeze_to_json, request_to_json
from rollguard.record.names import API_VERSION, GROUP, UNIT_KIND, UNITS, VERSION

ATTEMPTS = 5
REQUESTS_KEPT = 24
"""The oldest entries go when a new one is added: the guard remembers which it has handled."""


def _right(verb: str, why: str) -> Right:
    return Right(group=GROUP, version=VERSION, resource=UNITS, verb=verb, why=why)


READ = _right("get", "to see what was asked before")
WRITE = PATCH_UNIT
CREATE = _right("create", "to freeze everything")
WHO = Right(
    group="authentication.k8s.io",
    version="v1",
    resource="selfsubjectreviews",
    verb="create",
    why="to know under which name one asks",
    scope=Scope.CLUSTER,
)


class _Spec(msgspec.Struct):
    requests: list[msgspec.Raw] | None = None
    freeze: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _Meta(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _Unit(msgspec.Struct):
    metadata: _Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _User(msgspec.Struct):
    username: str = ""


class _ReviewStatus(msgspec.Struct, rename="camel"):
    user_info: _User = msgspec.field(default_factory=_User)


class _Review(msgspec.Struct):
    status: _ReviewStatus = msgspec.field(default_factory=_ReviewStatus)


Operation = dict[str, object]
_Changes = Callable[[_Spec], list[Operation]]


class KubernetesOrders:
    """The `Orders` port on a real API server, under the caller's own credentials."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def whoami(self) -> str | Unknown:
        """The user name that the API server knows us by (SelfSubjectReview)."""
        body = msgspec.json.encode({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
        try:
            reply = await self._api.send(WHO, "", body=body)
        except NoAnswer as error:
            return Unknown(detail=str(error))
        if not reply.ok:
            return Unknown(detail=reply.message())
        return msgspec.json.decode(reply.body, type=_Review).status.user_info.username

    async def request(self, unit: UnitName, request: HumanRequest) -> WriteOutcome:
        """Adds the entry; the oldest go where there are too many."""
        entry = msgspec.Raw(request_to_json(request).encode())

        def changes(spec: _Spec) -> list[Operation]:
            kept = (spec.requests or [])[-REQUESTS_KEPT + 1 :]
            return [{"op": "add", "path": "/spec/requests", "value": [*kept, entry]}]

        return await self._change(unit, changes)

    async def freeze(self, unit: UnitName, freeze: Freeze | None) -> WriteOutcome:
        """Sets the freeze, or takes it away; makes the object that stands for everything where it is missing."""

        def changes(spec: _Spec) -> list[Operation]:
            if freeze is not None:
                return [{"op": "add", "path": "/spec/freeze", "value": msgspec.Raw(freeze_to_json(freeze).encode())}]
            return [{"op": "remove", "path": "/spec/freeze"}] if bytes(spec.freeze) else []

        outcome = await self._change(unit, changes)
        if isinstance(outcome, Absent) and unit.object_name == EVERYTHING:
            return await self._create(unit, freeze)
        return outcome

    async def _change(self, unit: UnitName, changes: _Changes) -> WriteOutcome:
        outcome: WriteOutcome = Conflict(detail="the object kept changing")
        for _ in range(ATTEMPTS):
            try:
                reply = await self._api.send(READ, unit.namespace, unit.object_name)
            except NoAnswer as error:
                return Unknown(detail=str(error))
            if not reply.ok:
                return self._outcome(reply)
            found = msgspec.json.decode(reply.body, type=_Unit)
            operations = changes(found.spec)
            if not operations:
                return Applied(at=self._clock.now(), generation=0)
            guard: Operation = {
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": found.metadata.resource_version,
            }
            body = msgspec.json.encode([guard, *operations])
            outcome = await self._send(WRITE, unit, unit.object_name, body, JSON_PATCH)
            if not isinstance(outcome, Conflict):
                return outcome
        return outcome

    async def _create(self, unit: UnitName, freeze: Freeze | None) -> WriteOutcome:
        if freeze is None:
            return Applied(at=self._clock.now(), generation=0)
        body = {
            "apiVersion": API_VERSION,
            "kind": UNIT_KIND,
            "metadata": {"name": unit.object_name, "namespace": unit.namespace},
            "spec": {"freeze": msgspec.Raw(freeze_to_json(freeze).encode())},
        }
        return await self._send(CREATE, unit, "", msgspec.json.encode(body), "application/json")

    async def _send(self, right: Right, unit: UnitName, name: str, body: bytes, content_type: str) -> WriteOutcome:
        try:
            reply = await self._api.send(right, unit.namespace, name, body=body, content_type=content_type)
        except NoAnswer as error:
            return Unknown(detail=str(error))
        return self._outcome(reply)

    def _outcome(self, reply: Reply) -> WriteOutcome:
        if reply.ok:
            return Applied(at=self._clock.now(), generation=0)
        if reply.status == 404:
            return Absent()
        if reply.status == 409:
            return Conflict(detail=reply.message())
        if reply.status >= 500:
            return Unknown(detail=reply.message())
        return Rejected(status=reply.status, detail=reply.message())

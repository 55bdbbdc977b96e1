"""What people's commands write into a unit's spec."""

from __future__ import annotations

import json
import ssl
from typing import Any

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.kubernetes.store.orders import KubernetesOrders
from rollguard.model.action import Applied
from rollguard.model.names import UnitName
from rollguard.model.requests import Freeze, HumanRequest, RequestKind
from rollguard.model.time import Instant
from tests.unit.kubernetes.server import Conversation, serving

UNIT = UnitName("shop", "deployment-api")
FROZEN = {"until": "2026-11-03T02:15:04.000Z", "actor": "bob", "reason": "a demo"}
CLOCK = SystemClock()


async def patches(spec: dict[str, Any], *orders: HumanRequest | Freeze | None) -> list[Any]:
    """The patches that these orders send to a unit with that spec, without the guard on its version."""

    async def script(on: Conversation) -> None:
        await on.answer({"metadata": {"resourceVersion": "7"}, "spec": spec})

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="shop"), CLOCK)
        sender = KubernetesOrders(api, CLOCK)
        for order in orders:
            sent = sender.request(UNIT, order) if isinstance(order, HumanRequest) else sender.freeze(UNIT, order)
            assert isinstance(await sent, Applied)
        await api.close()
        bodies = [json.loads(asked.body) for asked in server.asked if asked.method == "PATCH"]
    assert all(body[0] == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"} for body in bodies)
    return [body[1:] for body in bodies]


async def test_a_freeze_is_lifted_and_an_order_is_given_though_the_unit_is_frozen() -> None:
    order = HumanRequest(id="r1", kind=RequestKind.ROLLBACK, actor="alice", at=Instant(0.0), reason="now")
    lifted, ordered = await patches({"freeze": FROZEN, "requests": [{"id": "r0"}]}, None, order)
    assert lifted == [{"op": "remove", "path": "/spec/freeze"}]
    (added,) = ordered
    assert [entry["id"] for entry in added["value"]] == ["r0", "r1"]


async def test_nothing_is_sent_to_lift_a_freeze_that_is_not_there() -> None:
    assert await patches({}, None) == []

"""What `status` says of channels is what the controller wrote, and that nothing is known where it wrote nothing."""

from __future__ import annotations

import json
import random
import ssl
from typing import Any

import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, KubernetesRecords
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.kubernetes.store.orders import KubernetesOrders
from rollguard.cli import status
from rollguard.cli.connect import Session
from tests.unit.kubernetes.server import Conversation, serving

CLOCK = SystemClock()
PATH = "/apis/rollguard.dev/v1alpha1/namespaces/monitoring/guardedunits/rollguard-all"
NOT_SET_UP = "`notify.email` in the policy"


def unit(*channels: tuple[str, str]) -> dict[str, Any]:
    """The object `rollguard-all` as the API server has it."""
    told = [{"name": name, "value": needs} for name, needs in channels]
    meta = {"namespace": "monitoring", "name": "rollguard-all", "resourceVersion": "3"}
    return {"metadata": meta, "status": {"mode": "observe", "channels": told}}


async def said(answer: dict[str, Any], code: int = 200) -> str:
    """The line of `status`, of somebody who looks at another namespace."""

    async def script(conversation: Conversation) -> None:
        assert conversation.asked.path == PATH
        await conversation.answer(json.dumps(answer).encode(), code)

    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="production"), CLOCK)
        opened = Session(
            api=api,
            records=KubernetesRecords(api, CLOCK, random.Random(1), namespaces=("production",)),
            orders=KubernetesOrders(api, CLOCK),
            clock=CLOCK,
            namespace="production",
            home="production",
            guard_namespace="monitoring",
        )
        line = await status.channels(opened)
        await api.close()
    return line


async def test_it_names_what_is_set_up_and_what_the_others_need() -> None:
    line = await said(unit(("slack-incidents", ""), ("email", NOT_SET_UP)))
    assert line == "Notices go out by slack-incidents. Not set up: email (needs `notify.email` in the policy)."


@pytest.mark.parametrize(
    ("answer", "code"),
    [(unit(), 200), ({"kind": "Status", "message": "not found", "reason": "NotFound"}, 404)],
)
async def test_where_no_controller_has_said_it_nothing_is_known(answer: dict[str, Any], code: int) -> None:
    line = await said(answer, code)
    assert line == "By which channels notices go out is not known: no controller in monitoring has said."


async def test_who_may_not_read_it_is_told_that() -> None:
    line = await said({"kind": "Status", "message": "ana may not get guardedunits", "reason": "Forbidden"}, 403)
    assert line.startswith("By which channels notices go out is not known: ")
    assert "ana may not get guardedunits" in line

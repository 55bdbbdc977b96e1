"""Does the API server enforce our admission policy: tried without effect."""

from __future__ import annotations

import msgspec

from rollguard.adapters.kubernetes.connection.api import Api, Lane, NoAnswer
from rollguard.adapters.kubernetes.connection.rights import CREATE_UNIT
from rollguard.model.action import Rejected, Unknown
from rollguard.ports import Clock
from rollguard.record.names import API_VERSION, UNIT_KIND

PROBE = "rollguard-install-probe"
REFUSAL = "the actor"
FORBIDDEN = 403


async def enforced(api: Api, clock: Clock, namespace: str) -> bool | Rejected | Unknown:
    """Whether an order under somebody else's name is refused; nothing is written. Rejected where the caller may not
    try, Unknown where it came to something else or was not answered."""
    request = {"id": "probe", "kind": "acknowledge", "actor": PROBE, "at": clock.now().iso(), "reason": "probe"}
    unit = {
        "apiVersion": API_VERSION,
        "kind": UNIT_KIND,
        "metadata": {"name": PROBE, "namespace": namespace},
        "spec": {"requests": [request]},
    }
    body = msgspec.json.encode(unit)
    try:
        reply = await api.send(CREATE_UNIT, namespace, params={"dryRun": "All"}, body=body, lane=Lane.READING)
    except NoAnswer as error:
        return Unknown(detail=str(error))
    if reply.ok:
        return False
    if reply.status != FORBIDDEN:
        return Unknown(detail=reply.message())
    return True if REFUSAL in reply.message() else Rejected(status=reply.status, detail=reply.message())

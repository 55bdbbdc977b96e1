"""A text that is kept in a ConfigMap, such as the installed policy."""

from __future__ import annotations

import msgspec

from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.rights import GET_CONFIGMAP
from rollguard.adapters.kubernetes.survey.asking import Asking
from rollguard.model.action import Absent, Unknown


class _ConfigMap(msgspec.Struct):
    data: dict[str, str] | None = None


async def read_config(api: Api, namespace: str, name: str, key: str) -> str | Absent | Unknown:
    """The text; Absent where there is no such ConfigMap or key."""
    found = await Asking(api).get(GET_CONFIGMAP, namespace, name)
    if isinstance(found, Absent | Unknown):
        return found
    return (msgspec.json.decode(found, type=_ConfigMap).data or {}).get(key) or Absent()

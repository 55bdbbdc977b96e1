"""Ready addresses of Services, from their EndpointSlices."""

from __future__ import annotations

from typing import Any

Address = tuple[str, int]
"""A pod's IP and port."""

ServiceKey = tuple[str, str]
"""Namespace and name of a Service."""


class Slices:
    """The slices of every Service, joined."""

    def __init__(self) -> None:
        self._slices: dict[ServiceKey, dict[str, tuple[Address, ...]]] = {}

    def apply(self, kind: str, item: Any) -> ServiceKey | None:
        """Takes in one change of a Mirror of EndpointSlices; the Service it belongs to, if it belongs to one."""
        metadata = item["metadata"]
        service = (metadata.get("labels") or {}).get("kubernetes.io/service-name")
        if service is None:
            return None
        key = (metadata["namespace"], service)
        slices = self._slices.setdefault(key, {})
        slices.pop(metadata["name"], None)
        if kind != "DELETED":
            slices[metadata["name"]] = ready_addresses(item)
        return key

    def addresses(self, key: ServiceKey) -> tuple[Address, ...]:
        """All ready addresses of a Service, in order, each once."""
        return tuple(sorted({address for each in self._slices.get(key, {}).values() for address in each}))


def ready_addresses(endpoint_slice: Any) -> tuple[Address, ...]:
    """The ready endpoints of one slice, on its first port."""
    ports = [port["port"] for port in endpoint_slice.get("ports") or () if port.get("port")]
    return tuple(
        (address, ports[0])
        for endpoint in endpoint_slice.get("endpoints") or ()
        if ports and (endpoint.get("conditions") or {}).get("ready", True)
        for address in endpoint["addresses"]
    )


def pod_names(endpoint_slice: Any) -> dict[str, str]:
    """The names of one slice's pods, by address."""
    return {
        address: endpoint["targetRef"]["name"]
        for endpoint in endpoint_slice.get("endpoints") or ()
        if endpoint.get("targetRef")
        for address in endpoint["addresses"]
    }

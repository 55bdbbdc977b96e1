"""A metrics store that only the cluster reaches, by the API server's proxy to its Service."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from rollguard.adapters.kubernetes.connection.api import Api, Lane, NoAnswer
from rollguard.adapters.kubernetes.connection.rights import Right
from rollguard.adapters.prometheus.http import Pairs, Reply
from rollguard.adapters.prometheus.inspect import StoreProblem

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Below(Right):
    """A path of the service behind the proxy."""

    below: str

    def path(self, namespace: str, name: str = "") -> str:
        """The proxy's path and what is below it."""
        return Right.path(self, namespace, name) + self.below


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddress:
    """A Service as an address names it: `http://NAME.NAMESPACE.svc:PORT/below`."""

    scheme: str
    name: str
    namespace: str
    port: int
    below: str = ""

    @property
    def url(self) -> str:
        """The address within the cluster."""
        return f"{self.scheme}://{self.name}.{self.namespace}.svc:{self.port}{self.below}"


def service_of(address: str) -> ServiceAddress | None:
    """The Service of an address within a cluster, or None where it is another address."""
    parts = urlsplit(address)
    labels = (parts.hostname or "").split(".")
    if len(labels) < 3 or labels[2] != "svc" or parts.scheme not in PORTS:
        return None
    port = parts.port or PORTS[parts.scheme]
    below = parts.path.rstrip("/")
    return ServiceAddress(scheme=parts.scheme, name=labels[0], namespace=labels[1], port=port, below=below)


@dataclass(slots=True)
class ServiceProxy:
    """The `Door` through the API server. The policy's own authentication does not pass it."""

    api: Api
    service: ServiceAddress

    async def get(self, path: str, pairs: Pairs, seconds: float) -> Reply:
        """See `Door`."""
        of = self.service
        right = _Below(
            group="",
            version="v1",
            resource="services/proxy",
            verb="get",
            why="a metrics store that is not reachable from here",
            below=of.below + path,
        )
        name = f"{of.scheme}:{of.name}:{of.port}"
        try:
            reply = await self.api.send(
                right, of.namespace, name, params=dict(pairs), timeout=seconds, lane=Lane.READING
            )
        except NoAnswer as error:
            raise StoreProblem(f"{of.url} by the API server's proxy: {error}") from error
        if not reply.ok:
            raise StoreProblem(f"{of.url} by the API server's proxy: {reply.message()}")
        return Reply(reply.status, reply.body)

    async def close(self) -> None:
        """Leaves the API's connections to their owner."""

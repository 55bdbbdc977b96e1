"""The lab's own client of the Kubernetes API: plain dicts, the administrator's kubeconfig, no environment."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import msgspec
from ruamel.yaml import YAML

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_WATCH_S = 300
_RETRY_S = 0.2
_AGAIN = (429, 500, 502, 503, 504)


class ApiError(Exception):
    """An answer of the API server that is not a success, with its Status."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """Where the API server is and how to speak to it. `token` and the client key never appear in a repr."""

    server: str
    ca_data: str
    token: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __repr__(self) -> str:
        return f"Kubeconfig(server={self.server!r})"

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.ca_data)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file or None)
        return context


def read_kubeconfig(path: str | Path) -> Kubeconfig:
    """The current context of a kubeconfig file. Raises ValueError that names what is missing."""
    document = YAML(typ="safe", pure=True).load(Path(path).read_text())
    name = document.get("current-context") or document["contexts"][0]["name"]
    context = _named(document, "contexts", name)["context"]
    cluster = _named(document, "clusters", context["cluster"])["cluster"]
    user = _named(document, "users", context["user"])["user"]
    return Kubeconfig(
        server=cluster["server"].rstrip("/"),
        ca_data=_text(cluster, "certificate-authority", path),
        token=user.get("token") or (Path(user["tokenFile"]).read_text().strip() if "tokenFile" in user else ""),
        cert_file=user.get("client-certificate", ""),
        key_file=user.get("client-key", ""),
    )


def _named(document: Any, key: str, name: str) -> Any:
    for entry in document.get(key) or ():
        if entry["name"] == name:
            return entry
    raise ValueError(f"kubeconfig: no entry {name!r} in {key!r}")


def _text(section: Mapping[str, str], key: str, path: str | Path) -> str:
    if f"{key}-data" in section:
        return base64.b64decode(section[f"{key}-data"]).decode()
    if key in section:
        return (Path(path).parent / section[key]).read_text()
    raise ValueError(f"kubeconfig {path}: the cluster has neither {key} nor {key}-data")


class Api:
    """Requests by path, e.g. `/api/v1/namespaces/x/pods`. Every failure is an ApiError or an httpx2 error."""

    def __init__(self, config: Kubeconfig, *, patient: bool = False) -> None:
        """`patient`: a server that is away or overloaded is asked again until it answers (parts of the lab only:
        an answer that was lost can make a later one 404 or 409)."""
        self._patient = patient
        headers = {"Authorization": f"Bearer {config.token}"} if config.token else {}
        self._client = httpx2.AsyncClient(
            base_url=config.server,
            headers=headers,
            verify=config.tls(),
            trust_env=False,
            timeout=httpx2.Timeout(10.0, pool=60.0),
            limits=httpx2.Limits(max_connections=64, max_keepalive_connections=64),
        )

    @classmethod
    def from_file(cls, path: str | Path, *, patient: bool = False) -> Self:
        return cls(read_kubeconfig(path), patient=patient)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, **params: str) -> Any:
        """The object, or the list, at this path."""
        return await self._send("GET", path, params=params)

    async def find(self, path: str) -> Any | None:
        """The object, or None where there is none."""
        try:
            return await self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, path: str, **params: str) -> list[Any]:
        """All items of a collection, in one answer."""
        items: list[Any] = (await self.get(path, **params)).get("items") or []
        return items

    async def create(self, path: str, body: Any) -> Any:
        return await self._send("POST", path, body=body)

    async def replace(self, path: str, body: Any) -> Any:
        return await self._send("PUT", path, body=body)

    async def patch(self, path: str, body: Any, content_type: str = STRATEGIC, **params: str) -> Any:
        """A patch; for the status subresource give its path (`.../status`)."""
        return await self._send("PATCH", path, body=body, content_type=content_type, params=params)

    async def delete(self, path: str, grace_s: int | None = None, uid: str | None = None) -> Any:
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        return await self._send("DELETE", path, body=options)

    async def clear(self, namespace: str) -> None:
        """Deletes a namespace's autoscalers and Deployments, and with these their pods: each goes on taking a little of
        the controllers' and the server's time."""
        for group, kind in ("autoscaling/v2", "horizontalpodautoscalers"), ("apps/v1", "deployments"):
            path = f"/apis/{group}/namespaces/{namespace}/{kind}"
            for item in await self.list(path):
                await self.delete(f"{path}/{item['metadata']['name']}")

    async def bind(self, namespace: str, pod: str, node: str) -> None:
        """Gives a pending pod to a node, as a scheduler does."""
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod, "namespace": namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        await self.create(f"/api/v1/namespaces/{namespace}/pods/{pod}/binding", binding)

    async def watch(self, path: str, resource_version: str, **params: str) -> AsyncIterator[Any]:
        """Watch events (`type`, `object`) until the server ends the stream; ERROR events are raised as ApiError."""
        query = {
            **params,
            "watch": "1",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_S),
        }
        timeout = httpx2.Timeout(10.0, read=_WATCH_S + 10.0)
        async with self._client.stream("GET", path, params=query, timeout=timeout) as response:
            if response.status_code != 200:
                await response.aread()
                raise _error(response)
            rest = b""
            async for chunk in response.aiter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = msgspec.json.decode(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ApiError(status.get("code", 500), status.get("reason", ""), status.get("message", ""))
                    yield event

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Any:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": content_type}
        while True:
            try:
                response = await self._client.request(
                    method, path, content=content, headers=headers, params=params or None
                )
            except httpx2.TransportError:
                if not self._patient:
                    raise
            else:
                if response.is_success:
                    return msgspec.json.decode(response.content)
                if not self._patient or response.status_code not in _AGAIN:
                    raise _error(response)
            await asyncio.sleep(_RETRY_S)


def _error(response: httpx2.Response) -> ApiError:
    try:
        status = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return ApiError(response.status_code, "", response.text[:500])
    if not isinstance(status, dict):
        return ApiError(response.status_code, "", response.text[:500])
    return ApiError(response.status_code, status.get("reason", ""), status.get("message", ""))

"""The lab's client and its local copies, against a small server that plays the API over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.api import Api, ApiError, Kubeconfig, read_kubeconfig
from lab.http_server import HttpServer, Request, Response, json_response
from lab.mirror import Mirror
from tests.unit.lab.parts import until


def item(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": str(version)}}


class Server:
    """Answers lists and watches from two queues; without a watch left, it holds the request."""

    def __init__(self) -> None:
        self.lists: list[dict[str, Any]] = []
        self.watches: list[list[dict[str, Any]]] = []
        self.asked: list[Request] = []

    async def handle(self, request: Request) -> Response:
        self.asked.append(request)
        if request.query.get("watch") != "1":
            return json_response(self.lists.pop(0))
        if not self.watches:
            await asyncio.sleep(60)
        events = self.watches.pop(0)
        return Response(body="".join(json.dumps(event) + "\n" for event in events).encode())


@asynccontextmanager
async def connected(handler: Any, *, patient: bool = False) -> AsyncIterator[Api]:
    server = HttpServer(handler)
    port = await server.listen("127.0.0.1", 0)
    async with Api(Kubeconfig(server=f"http://127.0.0.1:{port}", ca_data=""), patient=patient) as api:
        yield api
    server.abort()


async def test_a_deletion_during_a_lost_watch_is_noticed() -> None:
    server, told = Server(), list[tuple[str, str]]()
    gone = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}
    server.lists = [
        {"metadata": {"resourceVersion": "5"}, "items": [item("a", 1), item("b", 2)]},
        {"metadata": {"resourceVersion": "9"}, "items": [item("a", 7), item("c", 8)]},
    ]
    server.watches = [[{"type": "MODIFIED", "object": item("a", 6)}, gone]]
    async with connected(server.handle) as api:
        mirror = Mirror(api, "/api/v1/pods", fieldSelector="spec.nodeName=node-a")
        mirror.subscribe(lambda kind, each: told.append((kind, each["metadata"]["name"])))
        following = asyncio.create_task(mirror.run())
        await until(lambda: ("ADDED", "c") in told)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert told == [
        ("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"), ("MODIFIED", "a"), ("ADDED", "c"),
    ]  # fmt: skip
    assert set(mirror.objects) == {("shop", "a"), ("shop", "c")}
    assert all(request.query["fieldSelector"] == "spec.nodeName=node-a" for request in server.asked)


async def test_a_watch_goes_on_from_the_last_bookmark() -> None:
    server = Server()
    server.lists = [{"metadata": {"resourceVersion": "5"}, "items": []}]
    server.watches = [[{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "42"}}}]]
    async with connected(server.handle) as api:
        following = asyncio.create_task(Mirror(api, "/api/v1/pods").run())
        await until(lambda: len(server.asked) == 3)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert [request.query.get("resourceVersion") for request in server.asked] == [None, "5", "42"]


async def test_a_refusal_carries_the_servers_words() -> None:
    status = {"kind": "Status", "code": 409, "reason": "Conflict", "message": "the object has been modified"}
    async with connected(lambda _request: json_response(status, 409)) as api:
        with pytest.raises(ApiError, match="409 Conflict: the object has been modified"):
            await api.patch("/api/v1/x", {})


async def test_only_a_patient_client_asks_again() -> None:
    answers = [503, 503, 200]

    def handle(_request: Request) -> Response:
        return json_response({"ok": True}, answers.pop(0))

    async with connected(handle, patient=True) as api:
        assert await api.get("/x") == {"ok": True}
    answers = [503, 200]
    async with connected(handle) as api:
        with pytest.raises(ApiError, match="503"):
            await api.get("/x")


def test_a_kubeconfig_is_read_without_showing_its_token(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("certificate")
    path = tmp_path / "config"
    document = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1/", "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": {"token": "hidden-token"}}],
    }
    path.write_text(json.dumps(document))
    config = read_kubeconfig(path)
    assert (config.server, config.ca_data, config.token) == ("https://127.0.0.1:1", "certificate", "hidden-token")
    assert "hidden-token" not in repr(config)
    document["users"] = []
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="no entry 'u' in 'users'"):
        read_kubeconfig(path)

"""The guard's metrics at its pods' address, before the real API server: only who may get them does, and no longer than
a moment after the right is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from lab.api import Api as LabApi
from lab.controlplane import ControlPlane
from rollguard.adapters.kubernetes import Api, load
from rollguard.adapters.kubernetes.connection.callers import KEPT_S, Callers
from rollguard.adapters.kubernetes.connection.rights import METRICS
from rollguard.cli import serve
from rollguard.model.documents import Json
from rollguard.model.time import Instant, Mono
from rollguard.render import access
from tests.lab.surgery import CLOCK, until

pytestmark = pytest.mark.lab
SPACE = "metrics-callers"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Ahead:
    """The real clock, which a test sets forward."""

    seconds = 0.0

    def now(self) -> Instant:
        return CLOCK.now()

    def mono(self) -> Mono:
        return CLOCK.mono().plus(self.seconds)

    async def sleep_until(self, until: Mono) -> None:
        await CLOCK.sleep_until(until)


async def prepared(plane: ControlPlane) -> dict[str, str]:
    """The guard's account with its rights of the whole cluster alone, and a token of each account."""
    tokens = {}
    async with LabApi.from_file(plane.kubeconfig) as admin:
        await admin.create("/api/v1/namespaces", {"metadata": {"name": SPACE}})
        for name in ("rollguard", "prometheus", "neighbour"):
            await admin.create(f"/api/v1/namespaces/{SPACE}/serviceaccounts", {"metadata": {"name": name}})
            path = f"/api/v1/namespaces/{SPACE}/serviceaccounts/{name}/token"
            wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
            tokens[name] = (await admin.create(path, wanted))["status"]["token"]
        for made in access(tuple(right.permission for right in METRICS), watched=(), guard=SPACE):
            await admin.create(f"{RBAC}/{str(made['kind']).lower()}s", made)
        rules: list[Json] = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
        await admin.create(f"{RBAC}/clusterroles", {"metadata": {"name": SPACE}, "rules": rules})
        await admin.create(f"{RBAC}/clusterrolebindings", binding("prometheus"))
    return tokens


def binding(account: str) -> dict[str, Any]:
    """Gives the account the right to get `/metrics`, as Prometheus has it."""
    return {
        "metadata": {"name": SPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": SPACE},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": SPACE}],
    }


@asynccontextmanager
async def serving(plane: ControlPlane, clock: Ahead) -> AsyncIterator[httpx2.AsyncClient]:
    """The metrics as a pod of the guard serves them, under its own account; yields a client."""
    api = Api(load(await plane.kubeconfig_for_service_account(SPACE, "rollguard"), None), clock)
    health = serve.Health(alive=lambda: "", ready=lambda: "", exposition=lambda: "rollguard_leading 1.0\n")
    application = serve.for_callers(health, Callers(api, clock, path="/metrics").access, lambda *_: None)
    async with (
        serve.serving(application, "127.0.0.1", 0) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client
    await api.close()


async def test_only_an_account_that_may_get_metrics_gets_them(control_plane: ControlPlane) -> None:
    tokens = await prepared(control_plane)
    clock = Ahead()
    async with serving(control_plane, clock) as client:

        async def status(token: str) -> int:
            got = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
            assert ("rollguard_leading" in got.text) == (got.status_code == 200)
            return got.status_code

        async def asked_anew(token: str) -> int:
            clock.seconds += KEPT_S
            return await status(token)

        async def scraped() -> bool:
            return await asked_anew(tokens["prometheus"]) == 200

        await until(scraped, what="metrics for Prometheus, once the authorizer knows its roles")
        assert await status(tokens["neighbour"]) == 403
        assert await status("made-up") == 401
        assert await status(tokens["prometheus"] + "x") == 401
        async with LabApi.from_file(control_plane.kubeconfig) as admin:
            await admin.delete(f"{RBAC}/clusterrolebindings/{SPACE}")

        async def refused() -> bool:
            return await asked_anew(tokens["prometheus"]) == 403

        await until(refused, what="the end of the right")
        async with LabApi.from_file(control_plane.kubeconfig) as admin:
            await admin.delete(f"{RBAC}/clusterrolebindings/rollguard:{SPACE}")

        async def unknown() -> bool:
            return await asked_anew(tokens["prometheus"]) == 503

        await until(unknown, what="a guard that may not ask any more")

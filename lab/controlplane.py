"""etcd, the API server and the controller manager as local processes, with users, tokens and kubeconfigs."""

import json
import secrets
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from lab import pki, processes, programs
from lab.files import write_whole
from lab.processes import Child, ProcessError

ADMIN = "lab-admin"
NOBODY = "nobody"
PEOPLE = ("alice", "bob", "oncall")
PORT_ATTEMPTS = 3
READY_S = 90.0


@dataclass(slots=True, kw_only=True)
class ControlPlane:
    """A running control plane. Addresses stay the same when a part of it is killed and started again."""

    workdir: Path
    keys: pki.Pki
    tokens: Mapping[str, str]
    binaries: Mapping[str, Path]
    gates: tuple[str, ...] = ()
    """Feature gates of the API server, beside its defaults: `HPAScaleToZero=true`."""
    children: dict[str, Child] = field(default_factory=dict)
    etcd_port: int = 0
    etcd_peer_port: int = 0
    api_port: int = 0
    manager_port: int = 0

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def ca_file(self) -> Path:
        """The certificate that signs the API server's: its own."""
        return self.keys.certificate

    @property
    def service_account_key(self) -> Path:
        """The private key that signs ServiceAccount tokens."""
        return self.keys.service_account_key

    @property
    def admin_token(self) -> str:
        """The token of a member of `system:masters`."""
        return self.tokens[ADMIN]

    @property
    def nobody_token(self) -> str:
        """The token of a user without any right."""
        return self.tokens[NOBODY]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.kubeconfig_for(ADMIN)

    @property
    def admin_token_file(self) -> Path:
        """A file that holds the administrator's token, for programs that read one."""
        return self.workdir / "admin.token"

    def kubeconfig_for(self, user: str) -> Path:
        """The kubeconfig of one of the users: the administrator, `nobody` or one of PEOPLE."""
        return self.write_kubeconfig(user, self.tokens[user])

    def write_kubeconfig(self, name: str, token: str) -> Path:
        """Writes `<name>.kubeconfig`, readable by its owner only, and returns its path."""
        path = self.workdir / f"{name}.kubeconfig"
        text = json.dumps(_kubeconfig(self.url, self.ca_file, name, token), indent=2)
        write_whole(path, text, mode=0o600)
        return path

    async def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a fresh token of a ServiceAccount, good for six hours."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        wanted = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 6 * 3600},
        }
        async with self.client() as client:
            answer = await client.post(path, json=wanted)
        if answer.status_code != 201:
            raise ProcessError(f"no token for {namespace}/{name}: {answer.text}")
        return self.write_kubeconfig(f"{namespace}-{name}", answer.json()["status"]["token"])

    def client(self) -> httpx2.AsyncClient:
        """A plain HTTP client of the API as its administrator, for the lab's own start."""
        # The environment is ignored: variables such as REQUESTS_CA_BUNDLE override a client's own CA.
        return httpx2.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.admin_token}"},
            verify=ssl.create_default_context(cafile=str(self.ca_file)),
            trust_env=False,
            timeout=10.0,
        )

    async def kill_apiserver(self) -> None:
        """SIGKILL for the API server; etcd and the controller manager go on."""
        await self.children["kube-apiserver"].kill()

    async def start_apiserver(self) -> None:
        """Starts the API server on its port and returns when it is ready."""
        child = self._start("kube-apiserver", _apiserver_flags(self))
        async with self.client() as client:
            await child.until(lambda: _ok(client, "/readyz"), what="/readyz", timeout_s=READY_S)

    async def restart_apiserver(self) -> None:
        """Kills the API server and starts it again."""
        await self.kill_apiserver()
        await self.start_apiserver()

    async def start(self) -> None:
        """Brings all three up in order; raises ProcessError with the end of the log that explains it."""
        self._choose_ports()
        etcd = self._start("etcd", _etcd_flags(self))
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.etcd_port}", trust_env=False) as client:
            await etcd.until(lambda: _ok(client, "/health"), what="/health")
        await self.start_apiserver()
        await self.start_controller_manager()

    async def start_controller_manager(self) -> None:
        """Starts the controllers; returns when they have begun to work."""
        manager = self._start("kube-controller-manager", _manager_flags(self))
        async with httpx2.AsyncClient(
            base_url=f"https://127.0.0.1:{self.manager_port}", verify=False, trust_env=False
        ) as client:
            await manager.until(lambda: _ok(client, "/healthz"), what="/healthz", timeout_s=READY_S)
        async with self.client() as client:
            path = "/api/v1/namespaces/default/serviceaccounts/default"
            await manager.until(lambda: _ok(client, path), what="default ServiceAccount", timeout_s=READY_S)

    async def stop(self) -> None:
        """Ends controllers, API server and etcd, in this order."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            if name in self.children:
                # Nothing of a lab's state outlives it: waiting for a graceful end gains nothing.
                await self.children.pop(name).stop(grace_s=1.0)

    @classmethod
    @asynccontextmanager
    async def running(cls, workdir: Path, *, gates: tuple[str, ...] = ()) -> AsyncIterator["ControlPlane"]:
        """A control plane for the length of the block, with its files in `workdir`."""
        names = ("etcd", "kube-apiserver", "kube-controller-manager")
        plane = cls(
            workdir=workdir,
            keys=pki.create(workdir / "pki"),
            tokens={user: secrets.token_urlsafe(24) for user in (ADMIN, NOBODY, *PEOPLE)},
            binaries=programs.require(names),
            gates=gates,
        )
        _write_token_files(plane)
        try:
            await _start_with_retries(plane)
            yield plane
        finally:
            await plane.stop()

    def _start(self, name: str, flags: list[str]) -> Child:
        child = processes.start(name, [self.binaries[name], *flags], log=self.workdir / f"{name}.log")
        self.children[name] = child
        return child

    def _choose_ports(self) -> None:
        self.etcd_port = processes.free_port()
        self.etcd_peer_port = processes.free_port()
        self.api_port = processes.free_port()
        self.manager_port = processes.free_port()


async def _start_with_retries(plane: ControlPlane) -> None:
    for attempt in range(1, PORT_ATTEMPTS + 1):
        try:
            await plane.start()
        except ProcessError as error:
            if attempt == PORT_ATTEMPTS or not processes.port_was_taken(error):
                raise
            await plane.stop()
            shutil.rmtree(plane.workdir / "etcd-data", ignore_errors=True)
        else:
            return


async def _ok(client: httpx2.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).status_code == 200
    except httpx2.TransportError:
        return False


def _write_token_files(plane: ControlPlane) -> None:
    table = plane.workdir / "tokens.csv"
    table.touch(mode=0o600)
    lines = [
        f'{token},{user},uid-{user},"{"system:masters" if user == ADMIN else "lab:people"}"'
        for user, token in plane.tokens.items()
    ]
    table.write_text("\n".join(lines) + "\n")
    plane.admin_token_file.touch(mode=0o600)
    plane.admin_token_file.write_text(plane.admin_token)


def _kubeconfig(url: str, ca_file: Path, user: str, token: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": url, "certificate-authority": str(ca_file)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
        "current-context": "lab",
    }


def _etcd_flags(plane: ControlPlane) -> list[str]:
    client = f"http://127.0.0.1:{plane.etcd_port}"
    peer = f"http://127.0.0.1:{plane.etcd_peer_port}"
    return [
        "--name=lab",
        f"--data-dir={plane.workdir / 'etcd-data'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lab={peer}",
        "--unsafe-no-fsync",
        "--heartbeat-interval=50",
        "--election-timeout=500",
        "--quota-backend-bytes=4294967296",
    ]


def _apiserver_flags(plane: ControlPlane) -> list[str]:
    keys = plane.keys
    return [
        f"--etcd-servers=http://127.0.0.1:{plane.etcd_port}",
        "--bind-address=127.0.0.1",
        f"--secure-port={plane.api_port}",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        "--anonymous-auth=false",
        f"--client-ca-file={keys.certificate}",
        f"--token-auth-file={plane.workdir / 'tokens.csv'}",
        f"--tls-cert-file={keys.certificate}",
        f"--tls-private-key-file={keys.key}",
        "--service-account-issuer=https://lab.local",
        f"--service-account-key-file={keys.service_account_public_key}",
        f"--service-account-signing-key-file={keys.service_account_key}",
        f"--cert-dir={plane.workdir / 'apiserver-certs'}",
        "--allow-privileged=true",
        "--profiling=false",
        *([f"--feature-gates={','.join(plane.gates)}"] if plane.gates else []),
    ]


def _manager_flags(plane: ControlPlane) -> list[str]:
    config = plane.kubeconfig
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--secure-port={plane.manager_port}",
        f"--cert-dir={plane.workdir / 'manager-certs'}",
        "--leader-elect=false",
        "--use-service-account-credentials=false",
        f"--service-account-private-key-file={plane.service_account_key}",
        f"--root-ca-file={plane.ca_file}",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        # The autoscaler at the lab's pace: seconds where a cluster takes minutes.
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=2s",
        "--horizontal-pod-autoscaler-downscale-stabilization=5s",
    ]

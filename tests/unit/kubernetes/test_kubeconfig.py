"""The connection that kubectl would use, and credentials that change under way."""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes.connection import kubeconfig, rights
from rollguard.adapters.kubernetes.connection.api import Api, NoAnswer
from rollguard.adapters.kubernetes.connection.credentials import plugin_output
from rollguard.adapters.kubernetes.connection.kubeconfig import ConfigError, Connection
from rollguard.model.time import Instant, Mono
from tests.unit.kubernetes.server import Conversation, serving

CLOCK = SystemClock()


class Hands(SystemClock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def now(self) -> Instant:
        return Instant(self.seconds)

    def mono(self) -> Mono:
        return Mono(self.seconds)


def certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return cert.public_bytes(serialization.Encoding.PEM), pem


def write(path: Path, *, cluster: Any = None, user: Any = None, **more: Any) -> Path:
    document = {
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "guard"}},
            {"name": "there", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": "https://c:6443/", **(cluster or {})}},
            {"name": "d", "cluster": {"server": "https://d:6443"}},
        ],
        "users": [{"name": "u", "user": user or {}}],
        **more,
    }
    path.write_text(json.dumps(document))
    return path


def test_the_current_context_is_used_and_another_by_name(tmp_path: Path) -> None:
    file = write(tmp_path / "config")
    assert (kubeconfig.load(file).server, kubeconfig.load(file).namespace) == ("https://c:6443", "guard")
    assert (kubeconfig.load(file, "there").server, kubeconfig.load(file, "there").namespace) == (
        "https://d:6443",
        "default",
    )


def test_certificates_come_from_data_or_from_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    cert, key = certificate()
    (tmp_path / "ca.crt").write_bytes(cert)
    user = {
        "client-certificate-data": base64.b64encode(cert).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }
    connection = kubeconfig.load(write(tmp_path / "config", cluster={"certificate-authority": "ca.crt"}, user=user))
    assert connection.tls.verify_mode is ssl.CERT_REQUIRED
    assert [ca["subject"] for ca in connection.tls.get_ca_certs()] == [((("commonName", "test"),),)]
    user["client-key-data"] = base64.b64encode(certificate()[1]).decode()
    with pytest.raises(ConfigError, match="client-certificate and client-key do not fit"):
        kubeconfig.load(write(tmp_path / "config", user=user))


def test_tls_is_unchecked_only_where_the_kubeconfig_says_so(tmp_path: Path) -> None:
    insecure = kubeconfig.load(write(tmp_path / "a", cluster={"insecure-skip-tls-verify": True}))
    assert insecure.tls.verify_mode is ssl.CERT_NONE
    secure = kubeconfig.load(write(tmp_path / "b", cluster={"insecure-skip-tls-verify": "yes"}))
    assert secure.tls.verify_mode is ssl.CERT_REQUIRED
    assert secure.tls.check_hostname


def test_the_first_of_several_files_that_names_a_thing_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = tmp_path / "users"
    users.write_text(json.dumps({"users": [{"name": "u", "user": {"token": "first"}}]}))
    rest = write(tmp_path / "rest", user={"token": "second"})
    monkeypatch.setenv("KUBECONFIG", f"{users}:{tmp_path / 'missing'}:{rest}")
    assert kubeconfig.load().token == "first"


def test_a_pod_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.crt").write_bytes(certificate()[0])
    (tmp_path / "namespace").write_text("monitoring\n")
    (tmp_path / "token").write_text("t")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    connection = kubeconfig.in_cluster(tmp_path)
    assert (connection.server, connection.namespace) == ("https://[fd00::1]:443", "monitoring")
    assert connection.token_file == tmp_path / "token"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"current-context": "nowhere"}, "no context 'nowhere'; there are: here, there"),
        ({"current-context": ""}, "no current-context: choose one with --context"),
        ({"clusters": [{"name": "x", "cluster": {}}]}, "no cluster 'c'; there are: x"),
        ({"clusters": [{"name": "c", "cluster": {"server": "c:6443"}}]}, "must be an http or https address"),
        ({"users": [{"name": "u", "user": {"exec": {}}}]}, "user.exec has no command"),
        ({"users": [{"name": "u", "user": {"auth-provider": {"name": "gcp"}}}]}, "use an exec plugin"),
        ({"users": [{"name": "u", "user": {"as": "admin"}}]}, "user.as is not supported: take it out"),
        ({"users": [{"name": "u", "user": {"as-groups": ["ops"]}}]}, "user.as-groups is not supported"),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://c:6443", "tls-server-name": "kubernetes"}}]},
            "cluster.tls-server-name is not supported: take it out",
        ),
    ],
)
def test_a_mistake_is_named_with_the_file_and_what_to_do(tmp_path: Path, change: Any, words: str) -> None:
    file = write(tmp_path / "config", **change)
    with pytest.raises(ConfigError, match=words) as mistake:
        kubeconfig.load(file)
    assert str(file) in str(mistake.value)


def test_what_is_no_yaml_is_refused_without_quoting_it(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("users:\n- token: secret-token\n  [")
    with pytest.raises(ConfigError) as mistake:
        kubeconfig.load(file)
    assert "config:3" in str(mistake.value)
    assert "secret-token" not in str(mistake.value)


def test_no_secret_appears_in_a_connections_repr(tmp_path: Path) -> None:
    connection = kubeconfig.load(write(tmp_path / "config", user={"token": "secret-token", "password": "secret-too"}))
    assert "secret" not in repr(connection)


# --- credentials under way ---


def connect(url: str, **more: Any) -> Connection:
    return Connection(server=url, tls=ssl.create_default_context(), namespace="n", **more)


async def test_a_token_file_is_read_again_each_minute_and_at_once_after_a_401(tmp_path: Path) -> None:
    accepted = ["one"]

    async def script(on: Conversation) -> None:
        good = on.asked.headers.get("authorization") == f"Bearer {accepted[0]}"
        await on.answer({}, status=200 if good else 401)

    token = tmp_path / "token"
    token.write_text("one\n")
    clock = Hands()
    async with serving(script) as server:
        api = Api(connect(server.url, token_file=token), clock)
        assert (await api.send(rights.GET_LEASE, "n", "x")).status == 200
        token.write_text("two")
        accepted[0] = "two"
        assert (await api.send(rights.GET_LEASE, "n", "x")).status == 200
        assert len(server.asked) == 3
        token.write_text("three")
        accepted[0] = "three"
        clock.seconds += 61
        assert (await api.send(rights.GET_LEASE, "n", "x")).status == 200
        assert len(server.asked) == 4
        token.unlink()
        clock.seconds += 61
        assert (await api.send(rights.GET_LEASE, "n", "x")).status == 200
        await api.close()


async def test_a_plugin_is_asked_once_until_its_token_expires(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text(
        "#!/bin/sh\n"
        'echo run >> "$RUNS"\n'
        'case "$KUBERNETES_EXEC_INFO" in *ExecCredential*) ;; *) exit 3;; esac\n'
        'n=$(wc -l < "$RUNS" | tr -d " ")\n'
        'printf \'{"kind":"ExecCredential","status":{"token":"t%s","expirationTimestamp":"%s"}}\' "$n" "$EXPIRES"\n'
    )
    plugin.chmod(0o755)
    clock = Hands()
    section = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./plugin",
        "env": [
            {"name": "RUNS", "value": str(tmp_path / "runs")},
            {"name": "EXPIRES", "value": clock.now().plus(100).iso()},
        ],
    }

    async def script(on: Conversation) -> None:
        await on.answer({"token": on.asked.headers["authorization"]})

    async with serving(script) as server:
        file = write(tmp_path / "config", user={"exec": section}, cluster={"server": server.url})
        api = Api(kubeconfig.load(file), clock)
        tokens = []
        for passing in (0, 50, 25):
            clock.seconds += passing
            tokens.append(json.loads((await api.send(rights.GET_LEASE, "n", "x")).body)["token"])
        await api.close()
    assert tokens == ["Bearer t1", "Bearer t1", "Bearer t2"]


async def test_a_failing_plugin_is_no_answer_and_a_missing_one_says_what_to_install(tmp_path: Path) -> None:
    section = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}
    api = Api(kubeconfig.load(write(tmp_path / "a", user={"exec": section})), CLOCK)
    with pytest.raises(NoAnswer, match="false ended with status 1"):
        await api.send(rights.GET_LEASE, "n", "x")
    await api.close()
    section = {**section, "command": "./nothing", "installHint": "apt install it"}
    api = Api(kubeconfig.load(write(tmp_path / "b", user={"exec": section})), CLOCK)
    with pytest.raises(ConfigError, match="apt install it"):
        await api.send(rights.GET_LEASE, "n", "x")
    await api.close()


async def test_a_plugin_slower_than_a_request_serves_the_next_one(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    plugin = tmp_path / "plugin"
    plugin.write_text(f'#!/bin/sh\necho run >> "{tmp_path}/runs"\ncat "{gate}"\n')
    plugin.chmod(0o755)
    section = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}

    async def script(on: Conversation) -> None:
        await on.answer({"token": on.asked.headers["authorization"]})

    async with serving(script) as server:
        file = write(tmp_path / "config", user={"exec": section}, cluster={"server": server.url})
        api = Api(kubeconfig.load(file), CLOCK)
        with pytest.raises(NoAnswer):
            await api.send(rights.GET_LEASE, "n", "x", timeout=0.2)
        credential = json.dumps({"kind": "ExecCredential", "status": {"token": "late"}})
        await asyncio.to_thread(gate.write_text, credential)
        assert json.loads((await api.send(rights.GET_LEASE, "n", "x")).body) == {"token": "Bearer late"}
        await api.close()
    assert (tmp_path / "runs").read_text() == "run\n"


async def test_a_plugin_does_not_outlive_who_asked_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    plugin = tmp_path / "plugin"
    plugin.write_text(f'#!/bin/sh\necho $$ > "{tmp_path}/pid"\nexec sleep 60\n')
    plugin.chmod(0o755)
    file = write(tmp_path / "config", user={"exec": {"command": "./plugin"}})
    connection = kubeconfig.load(file)
    assert connection.exec_plugin is not None
    asking = asyncio.create_task(plugin_output(connection.exec_plugin, connection.server))
    pid = int(await asyncio.to_thread((tmp_path / "pid").read_text))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_requests_go_through_the_kubeconfigs_proxy_and_never_the_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    async def script(on: Conversation) -> None:
        await on.answer({"proxied": on.asked.path})

    async with serving(script) as proxy, serving(script) as direct:
        api = Api(connect(direct.url), CLOCK)
        assert (await api.send(rights.GET_LEASE, "n", "x")).ok
        await api.close()
        file = write(tmp_path / "config", cluster={"server": "http://api.invalid", "proxy-url": proxy.url})
        api = Api(kubeconfig.load(file), CLOCK)
        assert (await api.send(rights.GET_LEASE, "n", "x")).ok
        await api.close()
    assert len(proxy.asked) == 1
    assert len(direct.asked) == 1

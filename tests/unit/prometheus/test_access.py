"""How the store is reached: secrets come from files, are read again, and never appear in an answer's words."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from lab import pki
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.model.metrics import GapCause, NoSnapshot
from rollguard.model.policy import StoreAccess
from tests.unit.prometheus.stores import asked, errors, store


class Seen:
    """A store that refuses everything and remembers who came."""

    def __init__(self, server: HTTPServer, body: str = "") -> None:
        self.server = server
        self.headers: list[dict[str, str]] = []

        def handler(request: Request) -> Response:
            self.headers.append(dict(request.headers.items()))
            return Response(body, status=403)

        server.expect_request("/api/v1/query").respond_with_handler(handler)

    def metrics(self, auth: StoreAccess) -> PrometheusMetrics:
        return PrometheusMetrics(store(self.server.url_for("").rstrip("/"), auth), SystemClock())


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


async def test_a_token_is_read_again_when_it_changes(httpserver: HTTPServer, tmp_path: Path) -> None:
    seen = Seen(httpserver)
    file = written(tmp_path / "token", "first\n")
    metrics = seen.metrics(StoreAccess(bearer_token_file=file))
    await asked(metrics, errors())
    written(tmp_path / "token", "second\n")
    await asked(metrics, errors())
    assert [headers["Authorization"] for headers in seen.headers] == ["Bearer first"] * 4 + ["Bearer second"] * 4


async def test_a_user_and_a_tenant_are_sent(httpserver: HTTPServer, tmp_path: Path) -> None:
    seen = Seen(httpserver)
    password = written(tmp_path / "password", "pass word")
    auth = StoreAccess(username="guard", password_file=password, headers=(("X-Scope-OrgID", "dubbing"),))
    await asked(seen.metrics(auth), errors())
    expected = "Basic " + base64.b64encode(b"guard:pass word").decode()
    assert {(headers["Authorization"], headers["X-Scope-Orgid"]) for headers in seen.headers} == {(expected, "dubbing")}


async def test_a_secret_that_the_store_repeats_is_masked(httpserver: HTTPServer, tmp_path: Path) -> None:
    seen = Seen(httpserver, '{"status":"error","errorType":"auth","error":"token geheim is unknown"}')
    file = written(tmp_path / "token", "geheim")
    (answer,) = await asked(seen.metrics(StoreAccess(bearer_token_file=file)), errors())
    assert isinstance(answer, NoSnapshot)
    assert answer.detail == "bad: HTTP 403: auth: token *** is unknown"


@pytest.mark.parametrize("content", [None, "", "  \n", "two\nlines", "gehe\xefm"])
async def test_a_token_file_without_a_token_is_refused_by_name(
    httpserver: HTTPServer, tmp_path: Path, content: str | None
) -> None:
    seen = Seen(httpserver)
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    (answer,) = await asked(seen.metrics(StoreAccess(bearer_token_file=str(file))), errors())
    assert isinstance(answer, NoSnapshot)
    assert answer.cause is GapCause.REFUSED
    assert str(file) in answer.detail
    assert "gehe" not in answer.detail
    assert seen.headers == []


async def test_the_environment_changes_nothing(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    monkeypatch.setenv("SSL_CERT_FILE", "/does/not/exist")
    seen = Seen(httpserver)
    (answer,) = await asked(seen.metrics(StoreAccess()), errors())
    assert isinstance(answer, NoSnapshot)
    assert answer.cause is GapCause.REFUSED
    assert len(seen.headers) == 4


class TlsStore:
    """A store behind TLS that demands the client's certificate; the lab's keys serve for both."""

    def __init__(self, directory: Path) -> None:
        self.keys = pki.create(directory)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.keys.certificate, self.keys.key)
        context.load_verify_locations(self.keys.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        self.server = HTTPServer(host="127.0.0.1", port=0, ssl_context=context)
        self.server.expect_request("/api/v1/query").respond_with_data("", status=418)

    async def cause(self, auth: StoreAccess) -> tuple[GapCause, str]:
        self.server.start()
        try:
            address = f"https://127.0.0.1:{self.server.port}"
            (answer,) = await asked(PrometheusMetrics(store(address, auth), SystemClock()), errors())
        finally:
            await asyncio.to_thread(self.server.stop)
        assert isinstance(answer, NoSnapshot)
        return answer.cause, answer.detail


@pytest.fixture
def tls_store(tmp_path: Path) -> TlsStore:
    return TlsStore(tmp_path / "server")


async def test_a_client_certificate_is_shown(tls_store: TlsStore) -> None:
    keys = tls_store.keys
    auth = StoreAccess(ca_file=str(keys.certificate), certificate_file=str(keys.certificate), key_file=str(keys.key))
    assert await tls_store.cause(auth) == (GapCause.REFUSED, "bad: HTTP 418")


async def test_a_store_that_wants_a_certificate_gets_no_answer_without(tls_store: TlsStore) -> None:
    assert (await tls_store.cause(StoreAccess(ca_file=str(tls_store.keys.certificate))))[0] is GapCause.UNREACHABLE


async def test_a_stranger_is_not_trusted(tls_store: TlsStore) -> None:
    assert (await tls_store.cause(StoreAccess()))[0] is GapCause.UNREACHABLE


async def test_a_tls_file_that_does_not_fit_is_named(tls_store: TlsStore, tmp_path: Path) -> None:
    wrong = written(tmp_path / "ca.pem", "no certificate")
    found = await tls_store.cause(StoreAccess(ca_file=wrong))
    assert found[0] is GapCause.REFUSED
    assert wrong in found[1]


async def test_new_tls_files_are_taken_up(tls_store: TlsStore, tmp_path: Path) -> None:
    keys = tls_store.keys
    stranger = pki.create(tmp_path / "stranger")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(stranger.certificate.read_bytes())
    auth = StoreAccess(ca_file=str(ca), certificate_file=str(keys.certificate), key_file=str(keys.key))
    tls_store.server.start()
    try:
        metrics = PrometheusMetrics(store(f"https://127.0.0.1:{tls_store.server.port}", auth), SystemClock())
        deadline = SystemClock().mono().plus(5)
        (before,) = await metrics.ask(errors(), deadline=deadline)
        ca.write_bytes(keys.certificate.read_bytes())
        os.utime(ca, ns=(1, 1))
        (after,) = await metrics.ask(errors(), deadline=deadline)
        await metrics.close()
    finally:
        await asyncio.to_thread(tls_store.server.stop)
    assert isinstance(before, NoSnapshot)
    assert isinstance(after, NoSnapshot)
    assert (before.cause, after.cause) == (GapCause.UNREACHABLE, GapCause.REFUSED)


async def test_questions_under_way_survive_new_tls_files(httpserver: HTTPServer, tmp_path: Path) -> None:
    keys = pki.create(tmp_path / "keys")
    seen = Seen(httpserver)
    metrics = seen.metrics(StoreAccess(ca_file=str(keys.certificate)))
    deadline = SystemClock().mono().plus(5)

    async def ask_after(stamp: int) -> GapCause:
        os.utime(keys.certificate, ns=(stamp, stamp))
        (answer,) = await metrics.ask(errors(), deadline=deadline)
        assert isinstance(answer, NoSnapshot)
        return answer.cause

    causes = await asyncio.gather(ask_after(1), ask_after(2))
    await metrics.close()
    assert set(causes) == {GapCause.REFUSED}

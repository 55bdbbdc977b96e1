"""Where alerts are taken: flags, loopback, TLS with and without certificates of who connects."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from lab import pki
from rollguard.cli import exits, serve
from rollguard.cli.alerts_in import AlertFlags, Takes
from tests.unit.alertmanager.deliveries import BEARER, alert, delivery
from tests.unit.alertmanager.test_receiver import Place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("9098", ("127.0.0.1", 9098)),
        (":9098", ("127.0.0.1", 9098)),
        ("10.1.2.3:9098", ("10.1.2.3", 9098)),
        ("[::1]:9098", ("::1", 9098)),
    ],
)
def test_a_port_alone_is_on_loopback(text: str, place: tuple[str, int]) -> None:
    assert AlertFlags(alerts=text).takes() == Takes(place=place, tls=None, verifies=False)


def test_without_the_flag_nothing_listens() -> None:
    assert AlertFlags().takes() is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (AlertFlags(alerts="everywhere:9098"), "expected IP:PORT"),
        (AlertFlags(alerts_tls_cert=Path("c.pem")), "expected --alerts IP:PORT beside it"),
        (AlertFlags(alerts=":1", alerts_tls_cert=Path("c.pem")), "expected --alerts-tls-cert and --alerts-tls-key"),
        (AlertFlags(alerts=":1", alerts_tls_client_ca=Path("c.pem")), "expected --alerts-tls-cert and"),
        (
            AlertFlags(alerts=":1", alerts_tls_cert=Path("c.pem"), alerts_tls_key=Path("k.pem")),
            "--alerts-tls-cert c.pem, --alerts-tls-key k.pem: No such file or directory",
        ),
    ],
)
def test_flags_that_do_not_fit_together_end_the_command(flags: AlertFlags, said: str) -> None:
    with pytest.raises(exits.CommandError, match=said):
        flags.takes()


@asynccontextmanager
async def listening(flags: AlertFlags, directory: Path) -> AsyncIterator[tuple[Place, int]]:
    """The receiver as the controller serves it."""
    takes = flags.takes()
    assert takes is not None
    place = Place(directory, verified=takes.verifies)
    async with serve.serving(place.app, *takes.place, tls=takes.tls) as port:
        yield place, port


async def delivered(url: str, context: ssl.SSLContext | None = None, *, token: bool = True) -> int:
    """The answer's status."""
    async with httpx2.AsyncClient(verify=context or False, trust_env=False, timeout=10.0) as client:
        answer = await client.post(url, json=delivery(alert()), headers=BEARER if token else {})
    return answer.status_code


async def test_it_takes_alerts_over_http_on_loopback(tmp_path: Path) -> None:
    async with listening(AlertFlags(alerts="0"), tmp_path) as (place, port):
        assert await delivered(f"http://127.0.0.1:{port}/alerts") == 200
        assert place.firing() == ["c0ffee"]
        assert await delivered(f"http://127.0.0.1:{port}/alerts", token=False) == 401
        async with httpx2.AsyncClient(trust_env=False) as client:
            cut = await client.post(f"http://127.0.0.1:{port}/alerts", content=b'{"version"', headers=BEARER)
        assert (cut.status_code, "expected a webhook of Alertmanager" in cut.text) == (400, True)


async def test_over_tls_who_connects_must_show_a_certificate_of_the_authority(tmp_path: Path) -> None:
    ours, theirs, strangers = (pki.create(tmp_path / name) for name in ("ours", "theirs", "strangers"))
    flags = AlertFlags(
        alerts="0",
        alerts_tls_cert=ours.certificate,
        alerts_tls_key=ours.key,
        alerts_tls_client_ca=theirs.certificate,
    )

    def context(mine: pki.Pki | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(ours.certificate))
        if mine is not None:
            made.load_cert_chain(mine.certificate, mine.key)
        return made

    async with listening(flags, tmp_path) as (place, port):
        url = f"https://127.0.0.1:{port}/alerts"
        for mine in (None, strangers):
            with pytest.raises(httpx2.TransportError):
                await delivered(url, context(mine))
        assert place.firing() == []
        # where there is a token, a certificate alone does not do
        assert await delivered(url, context(theirs), token=False) == 401
        place.token.unlink()
        assert await delivered(url, context(theirs), token=False) == 200
        assert place.firing() == ["c0ffee"]


async def test_a_slow_sender_does_not_keep_others_from_being_heard(tmp_path: Path) -> None:
    async with listening(AlertFlags(alerts="0"), tmp_path) as (_, port):
        fields = ("Host: x", f"Authorization: {BEARER['Authorization']}", "Content-Length: 9", "", "")
        head = "\r\n".join(("POST /alerts HTTP/1.1", *fields))
        slow = []
        for _ in range(3):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode())
            await writer.drain()
            slow.append(writer)
        assert await delivered(f"http://127.0.0.1:{port}/alerts") == 200
        for writer in slow:
            writer.close()


@pytest.mark.parametrize(
    "said", [b"", b"POST /alerts HTTP/1.1\r\nHost: a", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /al"]
)
async def test_who_connects_and_asks_nothing_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(serve, "REQUEST_WITHIN_S", 0.05)
    async with listening(AlertFlags(alerts=":0"), tmp_path) as (_place, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        with suppress(ConnectionResetError):
            while await reader.read(1000):
                pass  # the answer to what it asked for first
        writer.close()
        monkeypatch.undo()
        assert await delivered(f"http://127.0.0.1:{port}/alerts") == 200


async def test_many_who_connect_and_ask_nothing_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "CONNECTIONS_MAX", 3)
    async with listening(AlertFlags(alerts=":0"), tmp_path) as (_place, port):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        assert await delivered(f"http://127.0.0.1:{port}/alerts") == 200
        endings = [asyncio.create_task(_ended(reader)) for reader, _ in idle]
        while sum(ending.done() for ending in endings) < len(idle) - 3:
            await asyncio.wait([each for each in endings if not each.done()], return_when=asyncio.FIRST_COMPLETED)
        for _, writer in idle:
            writer.close()
        await asyncio.gather(*endings)


async def _ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionResetError):
        await reader.read()

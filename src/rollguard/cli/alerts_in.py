"""What the controller takes: Alertmanager's webhook, from whoever shows the token, or a certificate."""

from __future__ import annotations

import asyncio
import hmac
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cyclopts import Parameter
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rollguard.adapters.alertmanager import Delivery, Malformed, read_delivery
from rollguard.adapters.numbers import whole_number
from rollguard.cli import exits, serve
from rollguard.cli.exposition import AlertsCounted
from rollguard.loop import Came, Intake
from rollguard.model.channels import SecretKey
from rollguard.model.time import Instant
from rollguard.ports import Clock
from rollguard.render.deployment import ALERTS_PATH

BODY_MAX = 4 * 1024 * 1024
"""Bytes: some thousand alerts in one group."""
BODIES = 4
"""Bodies that are held at the same time."""
BODY_WITHIN_S = 10.0
BAD_SHOWN = 100
NO_TOKEN = (
    f"the guard has no token to know you by: put {SecretKey.ALERTMANAGER_WEBHOOK_TOKEN} into the Secret that is mounted"
    " at its --secrets"
)
BAD_REQUEST, UNAUTHENTICATED, TOO_SLOW, TOO_LARGE, UNAVAILABLE = 400, 401, 408, 413, 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """Where alerts are taken."""

    place: tuple[str, int]
    tls: ssl.SSLContext | None
    verifies: bool
    """Who connects has shown a certificate."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFlags:
    """Where Alertmanager is listened to, and how."""

    alerts: str = ""
    """IP:PORT of POST /alerts for Alertmanager, which shows the token `alertmanager-webhook-token`; any address, and
    loopback where only a port is given."""
    alerts_tls_cert: Path | None = None
    """The certificate of that address, in PEM; with --alerts-tls-key."""
    alerts_tls_key: Path | None = None
    """Its key."""
    alerts_tls_client_ca: Path | None = None
    """Who connects there must show a certificate of this authority; a token too, where there is one."""

    def takes(self) -> Takes | None:
        """What the flags say; None where nothing is listened to. Ends the command where they do not fit together."""
        files = (self.alerts_tls_cert, self.alerts_tls_key, self.alerts_tls_client_ca)
        if not self.alerts:
            if any(files):
                raise exits.CommandError("--alerts-tls-...: expected --alerts IP:PORT beside it", exits.USAGE)
            return None
        host, _, port = self.alerts.rpartition(":")
        place = serve.address(self.alerts if host else f"127.0.0.1:{port}", loopback_only=False)
        if not any(files):
            return Takes(place=place, tls=None, verifies=False)
        if self.alerts_tls_cert is None or self.alerts_tls_key is None:
            said = "expected --alerts-tls-cert and --alerts-tls-key together, and --alerts-tls-client-ca beside them"
            raise exits.CommandError(said, exits.USAGE)
        tls = _context(self.alerts_tls_cert, self.alerts_tls_key, self.alerts_tls_client_ca)
        return Takes(place=place, tls=tls, verifies=self.alerts_tls_client_ca is not None)


def _context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """What a listener needs; ends the command where a file cannot be used. They are read once."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    files = f"--alerts-tls-cert {certificate}, --alerts-tls-key {key}"
    try:
        made.load_cert_chain(certificate, key)
        if client_ca is not None:
            files = f"--alerts-tls-client-ca {client_ca}"
            made.load_verify_locations(client_ca)
            made.verify_mode = ssl.CERT_REQUIRED
    except OSError as problem:  # ssl.SSLError is one
        raise exits.CommandError(f"{files}: {problem.strerror or problem}", exits.USAGE) from None
    return made


class Receiver:
    """The application. `answered` counts its answers by status."""

    def __init__(self, intake: Intake, token: Callable[[], str | None], clock: Clock, *, verified: bool) -> None:
        """`token` is asked at each request; `verified` says that the listener has checked a certificate by then."""
        self._intake = intake
        self._token = token
        self._clock = clock
        self._verified = verified
        self._room = asyncio.Semaphore(BODIES)
        self.answered: Counter[int] = Counter()
        self.malformed = 0
        """Alerts that could not be read, in bodies that could."""

    def application(self) -> Starlette:
        """It takes `POST /alerts` alone."""
        return Starlette(routes=[Route(ALERTS_PATH, self._post, methods=["POST"])])

    def counted(self) -> AlertsCounted:
        """What became of everything that came to this process."""
        alerts = {each.name.lower(): number for each, number in self._intake.counted.items()}
        return AlertsCounted(deliveries=dict(self.answered), alerts={**alerts, "malformed": self.malformed})

    async def _post(self, request: Request) -> Response:
        answer = self._stranger(request) or await self._taken(request)
        self.answered[answer.status_code] += 1
        return answer

    def _stranger(self, request: Request) -> Response | None:
        """What somebody is told who may not; None for who may. Where there is a token, a certificate does not do."""
        token = self._token()
        if token is None:
            return None if self._verified else PlainTextResponse(NO_TOKEN, UNAVAILABLE)
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode()):
            return None
        said = "expected `Authorization: Bearer TOKEN`, with the guard's own token"
        return PlainTextResponse(said, UNAUTHENTICATED, headers={"WWW-Authenticate": "Bearer"})

    async def _taken(self, request: Request) -> Response:
        async with self._room:
            try:
                body = await asyncio.wait_for(_body(request), BODY_WITHIN_S)
            except (TimeoutError, ClientDisconnect):
                return PlainTextResponse(f"expected the whole body within {BODY_WITHIN_S:g} s", TOO_SLOW)
            if body is None:
                return PlainTextResponse(f"expected at most {BODY_MAX:,} bytes", TOO_LARGE)
            try:
                delivery = read_delivery(body, now=_now(self._clock))
            except Malformed as problem:
                return PlainTextResponse(str(problem), BAD_REQUEST)
            del body
            self.malformed += len(delivery.bad)
            return _answer(delivery, await self._intake.take(delivery.alerts))


def _now(clock: Clock) -> Instant:
    return Instant(round(clock.now().seconds, 3))


async def _body(request: Request) -> bytes | None:
    """None where it is too large: then the rest is not read."""
    said = whole_number(request.headers.get("Content-Length", ""))
    if said is not None and said > BODY_MAX:
        return None
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_MAX:
            return None
        parts.append(part)
    return b"".join(parts)


def _answer(delivery: Delivery, came: tuple[Came, ...]) -> Response:
    """400 where nothing could be read, 503 where something could not be written and is to be sent again."""
    told = {
        "came": {each.value: number for each, number in sorted(Counter(came).items())},
        "bad": [{"alert": each.number, "reason": each.reason} for each in delivery.bad[:BAD_SHOWN]],
        "badInAll": len(delivery.bad),
        "truncated": delivery.truncated,
    }
    status = BAD_REQUEST if delivery.bad and not delivery.alerts else 200
    if Came.LOST in came:
        status = UNAVAILABLE
    return Response(msgspec.json.encode(told), status, media_type="application/json")

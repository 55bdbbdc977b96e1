"""The webhook over a real socket: signed, recognisable when repeated, and honest about every answer."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from rollguard.adapters.client import ANSWER_MAX, PACKED_MAX
from rollguard.adapters.secrets import Secrets
from rollguard.adapters.webhook import Webhook
from rollguard.model.destinations import WebhookChannel
from rollguard.model.handling import Ticket, TicketState
from rollguard.model.notices import Notice, NoticeClass
from rollguard.notify import ticket_payload
from rollguard.ports import Accepted, Refused, Retry
from tests.unit.records import START, rollout_record

NOTICE = Notice(id="n-1", class_=NoticeClass.PAGE, topic="hold", title="t", text="x", at=START)
NONE = Secrets(Path("/nowhere"))


async def test_a_notice_arrives_signed_with_its_id(httpserver: HTTPServer, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret-key\n")
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response("ok", status=202)

    httpserver.expect_request("/hook", method="POST").respond_with_handler(answer)
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/hook"), hmac_key_file=str(key)), NONE)
    outcome = await hook.send(NOTICE, rollout_record(), timeout=5)
    await hook.close()
    assert isinstance(outcome, Accepted)
    body = seen[0].get_data()
    expected = hmac.new(b"secret-key", body, hashlib.sha256).hexdigest()
    assert seen[0].headers["X-Rollguard-Signature"] == f"sha256={expected}"
    assert seen[0].headers["Idempotency-Key"] == "n-1"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Refused), (404, Refused), (302, Refused), (429, Retry), (500, Retry), (503, Retry)]
)
async def test_each_answer_is_what_it_is(
    httpserver: HTTPServer, status: int, kind: type[Refused] | type[Retry]
) -> None:
    httpserver.expect_request("/hook").respond_with_data("no", status=status, headers={"Retry-After": "7"})
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/hook")), NONE)
    outcome = await hook.send(NOTICE, None, timeout=5)
    await hook.close()
    assert isinstance(outcome, kind)
    if isinstance(outcome, Retry):
        assert outcome.after == 7


@pytest.mark.parametrize(
    ("retry_after", "after"), [("²", 5), ("9" * 30, 5), ("-1", 5), ("Wed, 21 Oct 2026 07:28:00 GMT", 5), ("86400", 300)]
)
async def test_no_retry_after_breaks_or_delays_a_notice_for_long(
    httpserver: HTTPServer, retry_after: str, after: float
) -> None:
    httpserver.expect_request("/hook").respond_with_data("no", status=429, headers={"Retry-After": retry_after})
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/hook")), NONE)
    outcome = await hook.send(NOTICE, None, timeout=5)
    await hook.close()
    assert isinstance(outcome, Retry)
    assert outcome.after == after


async def test_no_answer_is_tried_again_and_the_secret_path_is_not_told() -> None:
    hook = Webhook(WebhookChannel(name="ops", url="http://127.0.0.1:9/services/SECRET"), NONE)
    outcome = await hook.send(NOTICE, None, timeout=2)
    await hook.close()
    assert isinstance(outcome, Retry)
    assert "SECRET" not in outcome.detail


async def test_the_log_tells_no_secret_path(httpserver: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("httpx2").setLevel(logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    httpserver.expect_request("/services/SECRET").respond_with_data("ok")
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/services/SECRET")), NONE)
    assert isinstance(await hook.send(NOTICE, None, timeout=5), Accepted)
    await hook.close()
    told = [record for record in caplog.records if record.name.startswith(("httpx2", "httpcore2"))]
    assert not [record for record in told if "SECRET" in record.getMessage()]


async def test_an_unreadable_key_keeps_the_notice_for_later(tmp_path: Path) -> None:
    channel = WebhookChannel(name="ops", url="http://127.0.0.1:9/x", hmac_key_file=str(tmp_path / "absent"))
    hook = Webhook(channel, NONE)
    outcome = await hook.send(NOTICE, None, timeout=2)
    await hook.close()
    assert isinstance(outcome, Retry)
    assert not outcome.sent
    assert f"hmacKeyFile {tmp_path / 'absent'}: No such file or directory" in outcome.detail


@pytest.mark.parametrize("content", [b"", b" \n"], ids=["empty", "blank"])
async def test_a_key_of_the_secret_that_is_there_without_a_value_sends_nothing_unsigned_and_is_named(
    httpserver: HTTPServer, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "webhook-hmac-key").write_bytes(content)
    httpserver.expect_request("/hook").respond_with_data("ok")
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/hook")), Secrets(tmp_path))
    outcome = await hook.send(NOTICE, None, timeout=5)
    await hook.close()
    assert httpserver.log == []
    assert isinstance(outcome, Retry)
    assert not outcome.sent
    assert outcome.detail.endswith("the Secret's `webhook-hmac-key` is empty")


async def test_a_key_of_the_secret_that_is_no_file_sends_nothing_unsigned(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    (tmp_path / "webhook-hmac-key").mkdir()
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/hook")), Secrets(tmp_path))
    outcome = await hook.send(NOTICE, None, timeout=5)
    await hook.close()
    assert httpserver.log == []
    assert outcome.detail.endswith("the Secret's `webhook-hmac-key` is a directory")


async def test_a_key_of_the_secret_that_is_no_text_signs_by_its_bytes(httpserver: HTTPServer, tmp_path: Path) -> None:
    (tmp_path / "webhook-hmac-key").write_bytes(b"\xff\xfe\x00key")
    httpserver.expect_request("/hook", method="POST").respond_with_data("ok")
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/hook")), Secrets(tmp_path))
    assert isinstance(await hook.send(NOTICE, None, timeout=5), Accepted)
    await hook.close()
    seen = httpserver.log[0][0]
    expected = hmac.new(b"\xff\xfe\x00key", seen.get_data(), hashlib.sha256).hexdigest()
    assert seen.headers["X-Rollguard-Signature"] == f"sha256={expected}"


async def test_the_key_of_the_secret_signs_where_the_policy_names_none_and_is_never_told(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    (tmp_path / "webhook-hmac-key").write_text("shared-key\n")
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response("not the one that shared-key makes", status=403)

    httpserver.expect_request("/hook", method="POST").respond_with_handler(answer)
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/hook")), Secrets(tmp_path))
    outcome = await hook.send(NOTICE, None, timeout=5)
    await hook.close()
    expected = hmac.new(b"shared-key", seen[0].get_data(), hashlib.sha256).hexdigest()
    assert seen[0].headers["X-Rollguard-Signature"] == f"sha256={expected}"
    assert isinstance(outcome, Refused)
    assert outcome.detail == "HTTP 403 not the one that [webhook-hmac-key] makes"


async def test_a_ticket_arrives_at_its_own_address_signed_and_with_the_id_of_its_message(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("secret-key")
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response("", status=201)

    httpserver.expect_request("/tickets", method="POST").respond_with_handler(answer)
    channel = WebhookChannel(name="tickets", url=httpserver.url_for("/tickets"), hmac_key_file=str(key))
    hook = Webhook(channel, NONE, body=ticket_payload)
    ticket = Ticket(id="r/errors", number=2, state=TicketState.UPDATED, signal="errors", actor="ana", at=START)
    outcome = await hook.send(replace(NOTICE, ticket=ticket), None, timeout=5)
    await hook.close()
    assert isinstance(outcome, Accepted)
    body = seen[0].get_data()
    assert (json.loads(body)["id"], json.loads(body)["state"]) == ("r/errors", "updated")
    assert seen[0].headers["Idempotency-Key"] == "n-1"
    assert seen[0].headers["X-Rollguard-Signature"] == "sha256=" + hmac.new(b"secret-key", body, "sha256").hexdigest()


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "zlib", "idna"])
async def test_an_answer_that_calls_itself_something_odd_is_what_it_is(httpserver: HTTPServer, charset: str) -> None:
    """Decoded as it says, it would end in an error, or in a text that no record can keep."""
    odd = {"Content-Type": f"text/plain; charset={charset}"}
    httpserver.expect_request("/hook").respond_with_data(b"no: +2AA- \\ud800", status=400, headers=odd)
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/hook")), NONE)
    outcome = await hook.send(NOTICE, None, timeout=5)
    await hook.close()
    assert outcome == Refused(detail="HTTP 400 no: +2AA- \\ud800")


class Endless(httpx2.AsyncByteStream):
    """A body of 64 MB, or one of 64 MB that is 2 GB when it is unpacked."""

    def __init__(self, part: bytes) -> None:
        self._part = part
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.taken < 64 * 1024 * 1024:
            self.taken += len(self._part)
            yield self._part

    async def aclose(self) -> None:
        """There is nothing to end."""


@pytest.mark.parametrize(("packed", "most"), [(False, ANSWER_MAX), (True, PACKED_MAX)])
async def test_an_answer_without_an_end_is_taken_for_what_it_begins_with(packed: bool, most: int) -> None:
    part = b"no " * 1024
    body = Endless(gzip.compress(part) if packed else part)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    over = httpx2.MockTransport(lambda _: httpx2.Response(400, headers=headers, stream=body))
    hook = Webhook(WebhookChannel(name="ops", url="https://hook.test/x"), NONE, transport=over)
    outcome = await hook.send(NOTICE, None, timeout=60)
    await hook.close()
    assert isinstance(outcome, Refused)
    assert outcome.detail.startswith("HTTP 400 no no no")
    assert body.taken <= most + len(part)


async def test_a_key_file_without_a_key_signs_nothing_and_sends_nothing(httpserver: HTTPServer, tmp_path: Path) -> None:
    """Anybody can sign with no key."""
    key = tmp_path / "key"
    key.write_text("\n")
    httpserver.expect_request("/hook").respond_with_data("ok")
    hook = Webhook(WebhookChannel(name="ops", url=httpserver.url_for("/hook"), hmac_key_file=str(key)), NONE)
    empty = await hook.send(NOTICE, None, timeout=5)
    key.write_text("secret-key")
    there = await hook.send(NOTICE, None, timeout=5)
    await hook.close()
    detail = f"not sent, for it cannot be signed: hmacKeyFile {key}: it is empty"
    assert empty == Retry(after=5.0, detail=detail, sent=False)
    assert isinstance(there, Accepted)
    assert len(httpserver.log) == 1

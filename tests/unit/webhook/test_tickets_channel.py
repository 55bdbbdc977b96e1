"""The channel of tickets: there where the policy has an address for it, and signed by a key of its own."""

from __future__ import annotations

import hmac
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from rollguard.adapters.channels import PolicyChannels
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.secrets import Secrets
from rollguard.model.channels import TICKETS
from rollguard.model.destinations import Tickets, WebhookChannel
from rollguard.model.handling import Ticket, TicketState
from rollguard.model.policy import Policy
from rollguard.ports import Accepted
from tests.unit.judge.building import policy
from tests.unit.records import START
from tests.unit.webhook.test_webhook import NOTICE


async def names(wanted: Policy, secrets: Path) -> list[str]:
    """Of the channels that are connected for the policy."""
    connected = PolicyChannels(Secrets(secrets), SystemClock()).connect(wanted)
    for notifier in connected:
        await notifier.close()
    return [notifier.name for notifier in connected]


async def test_it_is_connected_for_the_policys_address_alone(tmp_path: Path) -> None:
    tickets = Tickets(channel=WebhookChannel(name=TICKETS, url="https://tickets.example.com"))
    assert TICKETS not in await names(policy(), tmp_path)
    assert (await names(replace(policy(), tickets=tickets), tmp_path)).count(TICKETS) == 1


@pytest.mark.parametrize(
    ("present", "signs"),
    [
        ({"webhook-hmac-key": "shared", "tickets-hmac-key": "tickets"}, b"tickets"),
        ({"tickets-hmac-key": "tickets"}, b"tickets"),
        ({"webhook-hmac-key": "shared"}, b"shared"),
    ],
)
async def test_a_ticket_is_signed_by_the_key_for_tickets_else_by_the_one_for_webhooks(
    httpserver: HTTPServer, tmp_path: Path, present: dict[str, str], signs: bytes
) -> None:
    for key, value in present.items():
        (tmp_path / key).write_text(f"{value}\n")
    seen = await taken(httpserver, TICKETS, tmp_path)
    expected = hmac.new(signs, seen.get_data(), "sha256").hexdigest()
    assert seen.headers["X-Rollguard-Signature"] == f"sha256={expected}"


async def test_an_empty_key_for_tickets_does_not_leave_a_ticket_to_the_key_for_webhooks(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    (tmp_path / "tickets-hmac-key").write_text("")
    (tmp_path / "webhook-hmac-key").write_text("shared")
    there = WebhookChannel(name=TICKETS, url=httpserver.url_for("/here"))
    connected = PolicyChannels(Secrets(tmp_path), SystemClock()).connect(
        replace(policy(), tickets=Tickets(channel=there))
    )
    (notifier,) = (each for each in connected if each.name == TICKETS)
    ticket = Ticket(id="r/errors", number=1, state=TicketState.OPEN, signal="errors", actor="ana", at=START)
    outcome = await notifier.send(replace(NOTICE, ticket=ticket), None, timeout=5)
    for each in connected:
        await each.close()
    assert httpserver.log == []
    assert outcome.detail.endswith("the Secret's `tickets-hmac-key` is empty")


async def test_the_key_for_tickets_signs_no_notice(httpserver: HTTPServer, tmp_path: Path) -> None:
    (tmp_path / "tickets-hmac-key").write_text("tickets")
    seen = await taken(httpserver, "ops", tmp_path)
    assert "X-Rollguard-Signature" not in seen.headers


async def taken(server: HTTPServer, channel: str, secrets: Path) -> Request:
    """What arrives of a notice by that channel of a policy with a webhook and an address for tickets."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response("", status=201)

    server.expect_request("/here", method="POST").respond_with_handler(answer)
    there = WebhookChannel(name=TICKETS, url=server.url_for("/here"))
    wanted = replace(policy(), tickets=Tickets(channel=there), webhooks=(replace(there, name="ops"),))
    connected = PolicyChannels(Secrets(secrets), SystemClock()).connect(wanted)
    ticket = Ticket(id="r/errors", number=1, state=TicketState.OPEN, signal="errors", actor="ana", at=START)
    (notifier,) = (each for each in connected if each.name == channel)
    outcome = await notifier.send(replace(NOTICE, ticket=ticket), None, timeout=5)
    for each in connected:
        await each.close()
    assert isinstance(outcome, Accepted)
    (request,) = seen
    return request

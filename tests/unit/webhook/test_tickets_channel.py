"""The channel of tickets is there where the policy has an address for it, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rollguard.adapters.channels import PolicyChannels
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.secrets import Secrets
from rollguard.model.channels import TICKETS
from rollguard.model.destinations import Tickets, WebhookChannel
from rollguard.model.policy import Policy
from tests.unit.judge.building import policy


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

"""The sweep for planted secrets finds them in every form, and passes over what is none."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lab.channels import KEYS, echo
from lab.faults.receiver import receiving
from lab.mounted import Mounted
from lab.standins.pagerduty import PagerDuty, pagerduty
from lab.swept import MARK, leaks, text_of
from rollguard.adapters.secrets import Secrets
from rollguard.model.channels import SecretKey

VALUE = f"xoxb-{MARK}-bot"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"token {VALUE} is not valid",
        VALUE[:16],
        VALUE.upper(),
        *[f"Basic {encoded('x' * before + VALUE + 'y' * after)}" for before in range(3) for after in range(3)],
    ],
)
def test_a_value_is_found_whole_cut_off_and_encoded(text: str) -> None:
    (found,) = leaks({"the log": f"before {text} after", "elsewhere": "nothing"})
    assert found.startswith("the log: ")


@pytest.mark.parametrize(
    "item",
    [
        {"metadata": {"annotations": {"x": VALUE}}},
        {"binaryData": {"pods.json.gz": base64.b64encode(gzip.compress(VALUE.encode())).decode()}},
        {"spec": {"requests": [{"words": encoded(VALUE)}]}},
    ],
)
def test_a_value_is_found_in_an_object_however_it_is_packed(item: dict[str, Any]) -> None:
    assert leaks({"object": text_of(item)}) != []


def test_names_of_keys_and_other_texts_are_no_find() -> None:
    item = {
        "data": {"detail": f"HTTP 400 [{SecretKey.SLACK_BOT_TOKEN}]", "other": "cGxhbnQ=", "gz": encoded("\x1f\x8b")}
    }
    assert leaks({"object": text_of(item), "empty": ""}) == []


def test_what_a_careless_service_says_has_every_planted_value() -> None:
    said = echo({key.value: value for key, value in KEYS.items()})
    planted = [value for value in KEYS.values() if MARK in value]
    assert len(planted) == 6
    assert all(value in said for value in planted)


def test_a_mounted_secret_comes_changes_and_goes_as_a_whole(tmp_path: Path) -> None:
    mounted = Mounted(directory=tmp_path / "secrets")
    secrets = Secrets(mounted.directory)
    assert secrets.present() == frozenset()
    mounted.put({"smtp-password": "first", "smtp-username": "guard"})
    assert secrets.read(SecretKey.SMTP_PASSWORD) == "first"
    mounted.put({"smtp-password": "second"})
    assert secrets.present() == {SecretKey.SMTP_PASSWORD}
    assert secrets.read(SecretKey.SMTP_PASSWORD) == "second"


async def test_a_receiver_with_a_key_takes_only_what_is_signed_with_it() -> None:
    body = b'{"topic": "test"}'
    async with receiving() as receiver, httpx2.AsyncClient(trust_env=False) as client:
        receiver.key, receiver.says = "key", {"rollout-began": "no"}
        statuses = []
        for key, sent in ((b"key", body), (b"other", body), (b"key", b'{"topic": "rollout-began"}')):
            signature = "sha256=" + hmac.new(key, sent, hashlib.sha256).hexdigest()
            headers = {"Idempotency-Key": "n-1", "X-Rollguard-Signature": signature}
            statuses.append((await client.post(receiver.url, content=sent, headers=headers)).status_code)
    assert statuses == [200, 401, 400]
    assert [each["topic"] for each in receiver.notices] == ["test"]


async def test_pagerduty_repeats_the_key_once_where_it_is_to_and_does_nothing() -> None:
    async with pagerduty(PagerDuty(routing_key="r" * 32)) as account, httpx2.AsyncClient(trust_env=False) as client:
        account.echoing = 1
        headers = {"Authorization": f"Token token={account.token}"}
        answer = await client.post(f"{account.url}/incidents", json={}, headers=headers)
    assert (answer.status_code, account.echoing, account.incidents) == (500, 0, [])
    assert account.token in answer.json()["error"]["message"]

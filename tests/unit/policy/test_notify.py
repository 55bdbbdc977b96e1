"""Where notices and alerts go, in the text of a policy."""

from __future__ import annotations

import pytest

from rollguard.model.channels import SecretKey
from rollguard.model.destinations import Paging, SlackChannels, WebhookChannel
from rollguard.model.signals import LevelName
from rollguard.policy.remarks import remarks
from tests.unit.policy.texts import GOOD, added, good, only


def test_without_a_word_the_channels_and_the_keys_of_the_secret_are_the_platforms() -> None:
    policy = good(GOOD)
    assert policy.slack == SlackChannels(
        deployments="#deployments", warnings="#deployment-warnings", incidents="#production-incidents"
    )
    assert set(policy.notification_secrets) == {
        SecretKey.SLACK_WEBHOOK_URL,
        SecretKey.PAGERDUTY_API_KEY,
        SecretKey.PAGERDUTY_SERVICE_ID,
    }


def test_a_channel_is_a_name_or_an_id_and_the_others_keep_their_names() -> None:
    policy = good(added("notify: {slack: {warnings: '#shop_warn', incidents: C0123456789}}"))
    assert policy.slack == SlackChannels(deployments="#deployments", warnings="#shop_warn", incidents="C0123456789")


def test_slack_is_reached_at_its_usual_address_or_that_of_a_government() -> None:
    assert good(GOOD).slack.post_message == "https://slack.com/api/chat.postMessage"
    given = good(added("notify: {slack: {api: 'https://slack-gov.com/api/'}}")).slack
    assert given.post_message == "https://slack-gov.com/api/chat.postMessage"


def test_the_token_of_slack_is_not_sent_in_the_clear() -> None:
    assert "https://" in only(added("notify: {slack: {api: 'http://slack.com/api'}}"))


def test_the_order_of_the_secrets_keys_means_nothing() -> None:
    keys = ("slack-bot-token", "pagerduty-routing-key", "alertmanager-webhook-token")
    one, other = (good(added(f"notify: {{secrets: [{', '.join(order)}]}}")) for order in (keys, keys[::-1]))
    assert one.digest == other.digest
    assert set(one.notification_secrets) == set(keys)


def test_a_policy_may_name_no_key_at_all() -> None:
    assert good(added("notify: {secrets: []}")).notification_secrets == ()


def test_every_key_of_the_model_can_be_named() -> None:
    pairs = ", ".join(SecretKey)
    assert good(added(f"notify: {{secrets: [{pairs}]}}")).notification_secrets == tuple(sorted(SecretKey))


def test_pagerduty_is_reached_at_its_usual_addresses_in_nobodys_name() -> None:
    assert good(GOOD).paging == Paging()
    given = good(added("notify: {pagerduty: {from: oncall@example.com, api: 'https://api.eu.pagerduty.com/'}}")).paging
    assert (given.sender, given.api) == ("oncall@example.com", "https://api.eu.pagerduty.com")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("from: oncall", "a mail address"),
        ("from: 'On call <oncall@example.com>'", "a mail address"),
        ("api: http://api.pagerduty.com", "https://"),
        ("events: http://10.0.0.1:8080", "https://"),
        ("api: https://api.pagerduty.com?x=1", "without `?`"),
    ],
)
def test_no_incident_is_opened_in_a_name_that_is_none_and_no_key_is_sent_in_the_clear(keys: str, expected: str) -> None:
    assert expected in only(added(f"notify: {{pagerduty: {{{keys}}}}}"))


def test_on_this_machine_pagerduty_may_be_a_stand_in() -> None:
    assert good(added("notify: {pagerduty: {api: 'http://127.0.0.1:8080'}}")).paging.api == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ("secrets: [pagerduty-service-id, pagerduty-api-key]", True),
        ("secrets: [pagerduty-service-id, pagerduty-api-key], pagerduty: {from: oncall@example.com}", False),
        ("secrets: [slack-webhook-url]", False),
        ("webhooks: []", False),
    ],
)
def test_a_named_key_of_pagerduty_without_a_name_to_open_incidents_in_is_remarked_on(notify: str, said: bool) -> None:
    text = added(f"notify: {{{notify}}}")
    found = remarks(good(text), text, "policy.yaml")
    assert len(found) == said
    assert all("notify.pagerduty.from" in remark.expected for remark in found)


def test_a_page_is_answered_in_five_minutes_where_nothing_is_said() -> None:
    assert good(GOOD).timing.respond_within == 300
    assert good(added("notify: {respond: {within: 90s}}")).timing.respond_within == 90


def test_tickets_go_to_their_address_and_there_are_none_without_one() -> None:
    assert good(GOOD).tickets is None
    keys = "url: 'https://tickets.example.com/hook', hmacKeyFile: /keys/t, always: [warning, critical]"
    tickets = good(added(f"notify: {{tickets: {{{keys}}}}}")).tickets
    assert tickets is not None
    assert tickets.channel == WebhookChannel(
        name="tickets", url="https://tickets.example.com/hook", hmac_key_file="/keys/t"
    )
    assert tickets.levels() == frozenset(LevelName)
    assert good(added("notify: {tickets: {url: 'https://tickets.example.com'}}")).tickets is not None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hooks.example.com/x", 1),
        ("http://8.8.8.8/x", 1),
        ("https://hooks.example.com/x", 0),
        *((f"http://{host}/x", 0) for host in ("tickets", "tickets.ops.svc", "localhost:80", "127.0.0.1", "10.1.2.3")),
    ],
)
@pytest.mark.parametrize("channel", ["webhooks: [{name: ours, url: '%s'}]", "tickets: {url: '%s'}"])
def test_what_goes_outside_in_the_clear_is_remarked_on_and_is_no_mistake(url: str, said: int, channel: str) -> None:
    text = added(f"notify: {{{channel % url}}}")
    found = remarks(good(text), text, "policy.yaml")
    assert len(found) == said
    assert all("https://: what happened" in each.expected and "/x" not in str(each) for each in found)

"""Where notices and alerts go, in the text of a policy."""

from __future__ import annotations

from rollguard.model.policy import SecretKey, SlackChannels
from tests.unit.policy.texts import GOOD, added, good


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

"""`alertmanager-config.yaml`: its words, its secrets, its quiet windows, what mutes what. That Alertmanager takes it,
and whom it tells, is tried with the real programs in tests/contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rollguard.cli.policy import read
from rollguard.model.channels import SecretKey
from rollguard.render.receivers import MOUNT
from rollguard.render.routing import PATH, routing
from tests.unit.policy.texts import GOOD, added, changed, good

ROOT = Path(__file__).parents[3]
PLATFORM = ("slack-webhook-url", "pagerduty-api-key", "pagerduty-service-id")


def text(*lines: str) -> str:
    """The file of the small policy with lines added to its spec."""
    (file,) = routing(good(added(*lines)), "monitoring")
    assert file.path == PATH
    return file.text


def configured(*lines: str) -> dict[str, Any]:
    """The same, as Alertmanager reads it."""
    (document,) = yaml.safe_load_all(text(*lines))
    assert isinstance(document, dict)
    return document


def with_secrets(*keys: str) -> str:
    return f"notify: {{secrets: [{', '.join(keys)}]}}"


def receiver(config: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in config["receivers"] if each["name"] == name)
    assert isinstance(found, dict)
    return found


def test_without_a_word_it_is_as_the_platform_has_it() -> None:
    config = configured()
    route = config["route"]
    assert (route["receiver"], route["group_by"]) == ("deployment-alerts", ["alertname", "namespace"])
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("10s", "10s", "12h")
    channels = {
        each["name"]: (config_["channel"], config_["title"].partition("{{")[0])
        for each in config["receivers"]
        for config_ in each.get("slack_configs", [])
    }
    assert channels == {
        "deployment-alerts": ("#deployments", "Deployment Alert"),
        "slack-warnings": ("#deployment-warnings", "Deployment Warning"),
        "pagerduty-critical": ("#production-incidents", "Production Incident"),
        "production-incidents": ("#production-incidents", "Production Incident"),
    }


def test_with_the_platforms_keys_alone_it_says_that_it_cannot_page_and_writes_to_slack() -> None:
    (page,) = (each for each in configured()["receivers"] if each["name"] == "pagerduty-critical")
    assert set(page) == {"name", "slack_configs"}
    remarks = [line for line in text().splitlines() if line.startswith("#")]
    assert any("Alertmanager itself cannot page" in line for line in remarks)
    assert any("one Slack webhook" in line for line in remarks)


def test_with_a_routing_key_it_pages_and_writes() -> None:
    keys = with_secrets(*PLATFORM, "pagerduty-routing-key")
    page = receiver(configured(keys), "pagerduty-critical")
    (pagerduty,) = page["pagerduty_configs"]
    assert pagerduty["routing_key_file"] == f"{MOUNT}/pagerduty-routing-key"
    assert "service_key" not in pagerduty and page["slack_configs"]
    assert "cannot page" not in text(keys)


def test_every_integration_tells_of_the_end_too() -> None:
    config = configured(with_secrets(*SecretKey))
    found = [
        each
        for receiver_ in config["receivers"]
        for kind, integrations in receiver_.items()
        if kind.endswith("_configs")
        for each in integrations
    ]
    assert len(found) == 6
    assert all(each["send_resolved"] is True for each in found)


@pytest.mark.parametrize("keys", [PLATFORM, tuple(SecretKey), ()], ids=["the platform's", "all", "none"])
def test_secrets_are_files_below_the_one_mount(keys: tuple[str, ...]) -> None:
    def files(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [inner for key, inner in value.items() if key.endswith("_file")]
            return own + [found for inner in value.values() for found in files(inner)]
        return [found for inner in value for found in files(inner)] if isinstance(value, list) else []

    config = configured(with_secrets(*keys))
    assert {file.removeprefix(f"{MOUNT}/") for file in files(config)} <= set(keys)
    if not keys:
        assert "no way to some of Slack" in text(with_secrets())


def test_each_channel_has_its_own_webhook_where_there_is_one_and_the_common_one_where_not() -> None:
    config = configured(with_secrets("slack-webhook-url", "slack-webhook-url-warnings"))
    ways = {
        name: receiver(config, name)["slack_configs"][0]["api_url_file"].removeprefix(f"{MOUNT}/")
        for name in ("deployment-alerts", "slack-warnings")
    }
    assert ways == {"deployment-alerts": "slack-webhook-url", "slack-warnings": "slack-webhook-url-warnings"}


def test_a_bot_token_reaches_every_channel() -> None:
    config = configured(with_secrets("slack-bot-token", "slack-webhook-url"))
    (slack,) = receiver(config, "slack-warnings")["slack_configs"]
    assert slack["api_url"] == "https://slack.com/api/chat.postMessage"
    assert slack["http_config"]["authorization"]["credentials_file"] == f"{MOUNT}/slack-bot-token"
    assert "api_url_file" not in slack


def test_the_token_goes_to_the_api_that_the_policy_names() -> None:
    config = configured("notify: {secrets: [slack-bot-token], slack: {api: 'https://slack-gov.com/api'}}")
    (slack,) = receiver(config, "slack-warnings")["slack_configs"]
    assert slack["api_url"] == "https://slack-gov.com/api/chat.postMessage"


def test_the_guard_is_told_only_where_it_knows_alertmanager_by_a_token() -> None:
    assert "rollguard" not in {each["name"] for each in configured()["receivers"]}
    config = configured(with_secrets(*PLATFORM, "alertmanager-webhook-token"))
    (hook,) = receiver(config, "rollguard")["webhook_configs"]
    assert hook["url"] == "http://monitoring.monitoring.svc:9098/alerts"
    assert hook["http_config"]["authorization"]["credentials_file"] == f"{MOUNT}/alertmanager-webhook-token"
    route = config["route"]["routes"][1]
    assert (route["receiver"], route["continue"]) == ("rollguard", True)


def test_every_inhibition_asks_for_the_labels_that_it_stands_on() -> None:
    rules = configured()["inhibit_rules"]
    assert len(rules) == 3
    for rule in rules:
        for side in ("source_matchers", "target_matchers"):
            assert 'namespace!=""' in rule[side]
            assert 'deployment!=""' in rule[side] or "alertname" in rule["equal"]
        assert {"namespace", "cluster"} <= set(rule["equal"])


def test_an_alert_on_a_whole_namespace_is_muted_where_one_of_its_deployments_has_paged_for_the_same() -> None:
    policy = read(ROOT / "examples" / "dubbing-platform" / "policy.yaml")
    (document,) = yaml.safe_load_all(routing(policy, "monitoring")[0].text)
    assert document["inhibit_rules"][3:] == [
        {
            "source_matchers": [
                'alertname=~"HighErrorRate|ErrorRateSpikeAfterDeployment|RollbackErrorRate"',
                'severity="critical"',
                'namespace!=""',
                'deployment!=""',
            ],
            "target_matchers": ['alertname="HighErrorRateOverall"', 'namespace!=""'],
            "equal": ["cluster", "namespace"],
        }
    ]


def test_an_incident_in_another_cluster_mutes_nothing_whatever_its_label_is_called() -> None:
    labels = "    address: http://prometheus:9090\n    labels: {cluster: k8s_cluster}\n"
    policy = good(changed("    address: http://prometheus:9090\n", labels))
    (document,) = yaml.safe_load_all(routing(policy, "monitoring")[0].text)
    for rule in document["inhibit_rules"]:
        assert {"cluster", "k8s_cluster"} <= set(rule["equal"])


def test_quiet_windows_mute_warnings_alone() -> None:
    window = 'maintenance: [{name: nights, from: "22:00", to: "06:00", reason: sleep}]'
    routes = configured(window)["route"]["routes"]
    muted = {each["receiver"]: each["mute_time_intervals"] for each in routes if "mute_time_intervals" in each}
    assert muted == {"slack-warnings": ["nights"]}
    assert "time_intervals" not in configured()


def test_quiet_hours_mute_warnings_as_quiet_windows_do() -> None:
    hours = '{name: nights, from: "22:00", to: "06:00", reason: sleep}'
    made = configured(f"maintenance: [{hours.replace('nights', 'batch')}]\n  notify: {{quiet: [{hours}]}}")
    assert [each["name"] for each in made["time_intervals"]] == ["batch", "nights"]
    muted = {each["receiver"]: each.get("mute_time_intervals") for each in made["route"]["routes"]}
    assert muted["slack-warnings"] == ["batch", "nights"]
    assert [receiver for receiver, names in muted.items() if names] == ["slack-warnings"]


def intervals(words: str) -> list[dict[str, Any]]:
    """The parts of the one quiet window of these words."""
    (window,) = configured(f"maintenance: [{{name: a, reason: x, {words}}}]")["time_intervals"]
    assert window["name"] == "a"
    return list(window["time_intervals"])


def times(begin: str, end: str) -> list[dict[str, str]]:
    return [{"start_time": begin, "end_time": end}]


def test_a_window_of_one_day_is_one_part() -> None:
    assert intervals('from: "09:30", to: "17:00", days: [mon, wed]') == [
        {"times": times("09:30", "17:00"), "weekdays": ["monday", "wednesday"]}
    ]
    assert intervals('from: "00:00", to: "24:00"') == [{"times": times("00:00", "24:00")}]
    assert intervals('from: "22:00", to: "00:00"') == [{"times": times("22:00", "24:00")}]


def test_a_window_over_midnight_goes_on_the_next_day_in_its_time_zone() -> None:
    assert intervals('from: "22:00", to: "06:00", days: [fri, sun], timeZone: Europe/Berlin') == [
        {"times": times("22:00", "24:00"), "weekdays": ["friday", "sunday"], "location": "Europe/Berlin"},
        {"times": times("00:00", "06:00"), "weekdays": ["monday", "saturday"], "location": "Europe/Berlin"},
    ]


@pytest.mark.golden
def test_the_platforms_configuration_is_the_golden_one(renew_golden: bool) -> None:
    (file,) = routing(read(ROOT / "examples" / "dubbing-platform" / "policy.yaml"), "monitoring")
    golden = ROOT / "tests" / "golden" / PATH
    if renew_golden:
        golden.write_text(file.text)
    assert file.text == golden.read_text(), "read the difference, then renew by --renew-golden"


def test_the_same_policy_gives_the_same_bytes() -> None:
    assert routing(good(GOOD), "monitoring") == routing(good(GOOD), "monitoring")

"""Alerts travel through a real Alertmanager, under the rendered configuration, to stand-ins that check each request."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from rollguard.model.channels import SecretKey
from rollguard.model.policy import QuietWindow
from tests.contract.alert_cases import ALL, INCIDENT_OPEN, PLATFORM, Case, cases, platform
from tests.contract.alert_world import (
    DEPLOYMENTS,
    TITLES,
    WARNINGS,
    World,
    expected,
    subject,
    world,
)

ALWAYS = QuietWindow(name="always", days=(), begin=0, end=1440, time_zone="UTC", reason="nobody looks")


def ended() -> str:
    return datetime.now(UTC).isoformat()


@pytest_asyncio.fixture(scope="module")
async def everything(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """With a bot's token, an integration key and a token for the guard."""
    async with world(platform(ALL), tmp_path_factory.mktemp("alertmanager")) as running:
        yield running


@pytest.fixture
def told(everything: World) -> World:
    everything.clear()
    return everything


def named(name: str, severity: str = "critical", *, namespace: str = "", deployment: str | None = None) -> Case:
    """The alert of that name and severity, elsewhere."""
    (case,) = (each for each in cases() if (each.name, each.severity) == (name, severity))
    return replace(
        case,
        namespace=namespace or case.namespace,
        deployment=case.deployment if deployment is None else deployment,
    )


async def test_every_alert_is_told_where_the_table_says_and_so_is_its_end(told: World) -> None:
    # A namespace each: then a message is about one of them, and none mutes another.
    found = [case.moved(f"space-{number}") for number, case in enumerate(cases())]
    begun = datetime.now(UTC).isoformat()
    await told.alertmanager.send([case.sent(startsAt=begun) for case in found])
    await told.until_told(expected(found))
    for case in found:
        check_messages(told, case)
    await told.alertmanager.send([case.sent(startsAt=begun, endsAt=ended()) for case in found])
    both = expected(found) + expected(found, "resolved")
    await told.until_told(both)
    assert told.places() == both
    incidents = {event["dedup_key"]: set[str]() for event in told.pagerduty.events}
    for event in told.pagerduty.events:
        incidents[event["dedup_key"]].add(event["event_action"])
    assert all(actions == {"trigger", "resolve"} for actions in incidents.values())


def check_messages(told: World, case: Case) -> None:
    """Slack's words, PagerDuty's event and the guard's delivery of a firing alert."""
    words = case.told
    for posted in told.slack.posted:
        if subject(posted) != (case.name, case.namespace):
            continue
        message = posted.attachment
        assert message["title"] == TITLES[posted.channel]
        assert message["fallback"] == f"{TITLES[posted.channel]}: {words['summary']}"
        assert message["text"].splitlines() == [
            f"*{words['summary']}*",
            words["description"].replace("<", "&lt;").replace(">", "&gt;"),
            f"Runbook: {words['runbook_url']}",
            f"Dashboard: {words['dashboard_url']}",
        ]
    for event in told.pagerduty.events:
        payload = event["payload"]
        if (payload["class"], payload["group"]) == (case.name, case.namespace):
            assert (payload["summary"], payload["severity"]) == (words["summary"], "critical")
            assert payload["source"] == "/".join(filter(None, (case.namespace, case.deployment)))
            assert [link["href"] for link in event["links"]] == [words["runbook_url"], words["dashboard_url"]]
    for delivery in told.guard.deliveries:
        if delivery["groupLabels"] == {"alertname": case.name, "namespace": case.namespace}:
            assert [alert["labels"] for alert in delivery["alerts"]] == [case.labels]


async def test_an_open_incident_of_the_guard_mutes_the_pages_for_its_own_deployment_alone(told: World) -> None:
    incident = named(INCIDENT_OPEN, "none", namespace="muted")
    muted = named("ErrorRateSpikeAfterDeployment", namespace="muted")
    others = [
        named("DeploymentFailed", namespace="muted", deployment="frontend-green"),
        named("DeploymentFailed", namespace="elsewhere"),
        named("DatabaseMigrationFailed", namespace="muted"),
        named("RolloutStuck", "warning", namespace="muted"),
        named("HighResponseTime", namespace="muted"),
    ]
    held_before = await told.alertmanager.suppressed("inhibition")
    await told.alertmanager.send([incident.sent()])
    await told.alertmanager.send([case.sent() for case in (muted, *others)])
    await told.until_told(expected(others))
    inhibited = await told.alertmanager.muted_by()
    assert inhibited[tuple(sorted(muted.labels.items()))] == 1
    # Two routes hold it back, at each of their turns: what is not told now was not only late.
    await until_held_back(told, held_before + 4)
    assert told.places() == expected(others)
    # The guard dies, or its incident ends: now Alertmanager pages.
    await told.alertmanager.send([incident.sent(endsAt=ended())])
    await told.until_told(expected([muted, *others]))


async def until_held_back(told: World, least: float) -> None:
    child = told.alertmanager.child
    assert child is not None

    async def probe() -> bool:
        return await told.alertmanager.suppressed("inhibition") >= least

    await child.until(probe, what=f"{least} notifications held back")


async def test_an_incident_without_a_deployment_mutes_nothing(told: World) -> None:
    incident = named(INCIDENT_OPEN, "none", namespace="bare", deployment="")
    pages = [named("DatabaseMigrationFailed", namespace="bare"), named("DeploymentFailed", namespace="bare")]
    await told.alertmanager.send([incident.sent()])
    await told.alertmanager.send([case.sent() for case in pages])
    await told.until_told(expected(pages))


async def test_the_critical_of_an_alert_mutes_its_warning_for_the_same_deployment_alone(told: World) -> None:
    critical = named("HighErrorRate", namespace="both")
    warning = named("HighErrorRate", "warning", namespace="both")
    other = named("HighErrorRate", "warning", namespace="both", deployment="frontend-green")
    databases = [named("DatabaseConnectionsHigh", severity, namespace="both") for severity in ("critical", "warning")]
    await told.alertmanager.send([critical.sent(), databases[0].sent()])
    await told.alertmanager.send([case.sent() for case in (warning, other, databases[1])])
    # Alerts of a name share their messages.
    await told.until_told(Counter(dict.fromkeys(expected([other, critical, databases[0]]), 1)))
    inhibited = await told.alertmanager.muted_by()
    found = [critical, warning, other, *databases]
    assert [inhibited[tuple(sorted(case.labels.items()))] for case in found] == [0, 1, 0, 0, 1]


async def test_the_error_rate_of_a_namespace_pages_where_none_of_its_deployments_does(told: World) -> None:
    one = named("HighErrorRate", namespace="one-is-bad")
    explained, alone = (named("HighErrorRateOverall", namespace=space) for space in ("one-is-bad", "all-a-little"))
    incident = named(INCIDENT_OPEN, "none", namespace="one-is-bad")
    await told.alertmanager.send([one.sent(), incident.sent()])
    await told.alertmanager.send([explained.sent(), alone.sent()])
    # The incident mutes the Deployment's own page, and that still explains the namespace's.
    await told.until_told(expected([alone]))
    inhibited = await told.alertmanager.muted_by()
    assert [inhibited[tuple(sorted(case.labels.items()))] for case in (one, explained, alone)] == [1, 1, 0]
    assert {place[0] for place in told.places()} == {"HighErrorRateOverall"}


async def test_a_large_group_is_told_in_part_and_says_so(told: World) -> None:
    found = [named("PodNotReady", "warning", namespace="large", deployment=f"web-{number}") for number in range(25)]
    await told.alertmanager.send([case.sent() for case in found])
    await told.alertmanager.until(lambda: len(told.slack.in_channel(WARNINGS)) == 1, what="the warning")
    (posted,) = told.slack.in_channel(WARNINGS)
    lines = posted.attachment["text"].splitlines()
    assert lines[-1] == "These are 20 of 25 alerts."
    assert len([line for line in lines if line.startswith("*")]) == 20
    assert told.refused() == []


async def test_what_a_service_has_no_time_for_is_told_later(told: World) -> None:
    told.slack.limited, told.pagerduty.limited = 2, 1
    case = named("DeploymentFailed", namespace="later")
    await told.alertmanager.send([case.sent()])
    await told.until_told(expected([case]))
    assert (told.slack.limited, told.pagerduty.limited) == (0, 0)


async def test_a_changed_secret_needs_no_restart(told: World) -> None:
    told.slack.token = "xoxb-2"
    (told.secrets / SecretKey.SLACK_BOT_TOKEN).write_text("xoxb-2\n")
    case = named("DeploymentFailed", namespace="rotated")
    await told.alertmanager.send([case.sent()])
    await told.until_told(expected([case]))


async def test_a_missing_secret_costs_its_own_messages_alone(told: World) -> None:
    key = told.secrets / SecretKey.PAGERDUTY_ROUTING_KEY
    kept = key.read_text()
    key.unlink()
    case = named("DeploymentFailed", namespace="keyless")
    await told.alertmanager.send([case.sent()])
    whole = expected([case])
    page = Counter([(case.name, case.namespace, "pagerduty", "firing")])
    await told.until_told(whole - page)
    assert told.pagerduty.events == []
    # It is tried again at each turn of the group: the page comes with the key.
    key.write_text(kept)
    await told.until_told(whole)


async def test_a_bad_configuration_is_refused_and_the_one_before_stays(told: World) -> None:
    config = told.alertmanager.config_file
    good = config.read_text()
    config.write_text(good.replace('"receiver": "slack-warnings"', '"receiver": "nobody"'))
    assert not await told.alertmanager.reload()
    case = named("RolloutStuck", "warning", namespace="reloaded")
    await told.alertmanager.send([case.sent()])
    await told.until_told(expected([case]))
    config.write_text(good)
    assert await told.alertmanager.reload()


async def test_with_the_platforms_keys_one_webhook_takes_all_and_each_message_names_its_class(tmp_path: Path) -> None:
    critical, warning = named("DeploymentFailed"), named("RolloutStuck", "warning")
    async with world(platform(PLATFORM), tmp_path) as told:
        await told.alertmanager.send([critical.sent(), warning.sent()])
        await told.alertmanager.until(lambda: len(told.slack.posted) == 4, what="four messages")
        assert {each.channel for each in told.slack.posted} == {DEPLOYMENTS}
        titles = Counter(each.attachment["title"] for each in told.slack.posted)
        assert titles == {"Production Incident": 1, "Deployment Warning": 1, "Deployment Alert": 2}
        assert told.refused() == [] and told.pagerduty.events == [] and told.guard.deliveries == []


async def test_a_quiet_window_mutes_warnings_in_their_channel_and_no_page(tmp_path: Path) -> None:
    keys = (SecretKey.PAGERDUTY_ROUTING_KEY, SecretKey.SLACK_WEBHOOK_URL, SecretKey.SLACK_WEBHOOK_URL_WARNINGS)
    critical, warning = named("DeploymentFailed"), named("RolloutStuck", "warning")
    async with world(platform(keys, (ALWAYS,)), tmp_path) as told:
        await told.alertmanager.send([critical.sent(), warning.sent()])
        await told.alertmanager.until(lambda: len(told.slack.posted) == 3, what="three messages")
        await told.alertmanager.until(lambda: len(told.pagerduty.events) == 1, what="the page")
        titles = Counter(each.attachment["title"] for each in told.slack.posted)
        assert titles == {"Production Incident": 1, "Deployment Alert": 2}
        assert await told.alertmanager.suppressed("mute_time_interval") >= 1

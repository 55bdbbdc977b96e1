"""A bad release, its rollback and its end, told by every channel at once: a real controller on the real API server, a
real Alertmanager that tells it something, a real mail server and a real PostgreSQL. None of the secrets that this takes
stands anywhere afterwards, also where a service repeats them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from lab import policies
from lab.alertmanager import Alertmanager, adapted
from lab.alertmanager import Services as Addresses
from lab.channels import DEPLOYMENTS, GATEWAY, HOOKS, INCIDENTS, ON_CALL, OPS, SENDER, WRONG, Services, echo, services
from lab.controller import Controller, Record
from lab.scenarios.stage import GROUP, ROLLGUARD, Stage
from lab.swept import MARK, leaks, objects
from lab.world import Lab
from rollguard.cli.policy import read
from rollguard.model.channels import SecretKey
from rollguard.render.routing import routing

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

NAMESPACE, NAME = "channels", "speech-to-text"
GOOD, BAD = "v1-noerrors", "v2-errors-40pct"
RPS = 60
WITHIN_S = 180.0
"""For whatever is waited for: on a quiet machine all of it together takes about a minute."""
PATIENT = {**policies.timing(slot_s=4), "lateness": "4s", "recovery": {"within": "2m", "for": "4s"}}
"""Few slots are lost where the machine is busy, and a recovery has time to be seen."""
ALERT = "CheckoutSlow"
LABELS = {
    **{"alertname": ALERT, "namespace": NAMESPACE, "deployment": NAME},
    **{"rollguard_action": "rollback", "severity": "critical", "category": "shop"},
}
SUMMARY = "Checkout takes longer than 3 s"
BEGAN, BACK, RECOVERED = "rollout-began", "rolled-back", "recovered"
SLACK = ("slack-deployments", "slack-warnings", "slack-incidents")
OTHERS = ("pagerduty", "pagerduty-events", "email", HOOKS, GATEWAY)


@dataclass(kw_only=True)
class Story:
    """What came of it. The controller still runs."""

    stage: Stage
    services: Services
    policy: Path
    guard: Controller
    rollout: Any = None
    tested: list[dict[str, str]] = field(default_factory=list)
    """Of each `notify test` the results by channel."""
    tests: int = 0
    """Incidents in PagerDuty that these tests opened."""
    printed: dict[str, str] = field(default_factory=dict)
    """All that commands printed, by what was typed."""

    def notice(self, topic: str) -> Any:
        """The one notice about that."""
        (found,) = (each for each in self.rollout["notices"] if each["topic"] == topic)
        return found

    async def alert(self) -> Any:
        """What the unit's record has of Alertmanager's alert; None while it has nothing."""
        (found,) = (await self.stage.unit(NAME))["status"].get("alerts") or (None,)
        return found

    async def rollguard(self, *words: str, code: int = 0) -> str:
        """What the command prints on both streams, as the administrator where it asks the cluster."""
        environment = {**os.environ, "KUBECONFIG": str(self.stage.lab.kubeconfig)}
        command = [str(ROLLGUARD), *words]
        ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, env=environment)
        said = f"{' '.join(words)} ({len(self.printed)})"
        self.printed[said] = ended.stdout + ended.stderr
        assert ended.returncode == code, f"{said}: {ended.returncode}\n{self.printed[said]}"
        return ended.stdout

    async def test_channels(self) -> None:
        """Once, where the Secret is mounted."""
        where = ("--policy", str(self.policy), "--secrets", str(self.services.mounted.directory))
        found = json.loads(await self.rollguard("notify", "test", *where, "-o", "json"))
        self.tested.append({each["channel"]: each["result"] for each in found})
        self.tests = len(self.services.pagerduty.incidents)

    async def logged(self, event: str, **words: str) -> Record:
        """The first line of that event, once there is one with these words in its fields."""
        return await self.guard.until_logged(
            lambda record: (
                record["event"] == event and all(word in str(record.get(key)) for key, word in words.items())
            ),
            what=f"{event} with {words}",
            timeout_s=WITHIN_S,
        )

    async def address(self, to: str) -> str:
        """Where the controller serves that."""
        return f"http://{(await self.logged('listening', to=to))['address']}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """It is told once, and every test looks at what came of it."""
    async with services(tmp_path_factory.mktemp(NAMESPACE)) as around:
        flags = ("--secrets", str(around.mounted.directory), "--alerts", "127.0.0.1:0")
        stage = Stage(lab=lab, account=await lab.install(), namespace=NAMESPACE, flags=flags)
        try:
            told = await begun_without_a_secret(stage, around)
            await the_secret_comes(told)
            await a_bad_release_goes_back(told)
            yield told
        finally:
            for guard in stage.guards:
                await guard.stop()
            await lab.leave(NAMESPACE)


async def begun_without_a_secret(stage: Stage, around: Services) -> Story:
    """A service that does well, and its guard, which nobody has given a secret."""
    lab = stage.lab
    await lab.namespace(NAMESPACE)
    await lab.namespace(stage.guard_namespace)
    await lab.deploy(NAMESPACE, NAME, tag=GOOD, rps=RPS)
    await lab.until_rolled_out(NAMESPACE, NAME, timeout_s=WITHIN_S)
    policy = stage.policy([NAME], notify=around.notify(), journal={"postgres": {}}, timing=PATIENT)
    await lab.grant(policy, namespace=stage.guard_namespace)
    told = Story(stage=stage, services=around, policy=policy, guard=stage.start_guard(policy))
    await told.logged("channel-not-configured", channel="pagerduty")
    await told.logged("channel-not-configured", channel="slack-incidents")
    await told.logged("journal", problem="the Secret has no `journal-dsn`")
    return told


async def the_secret_comes(told: Story) -> None:
    """At first with a database's wrong password and a webhook of Slack, then as it is meant."""
    around, stage = told.services, told.stage
    wrong = around.values(journal_dsn=around.database.dsn(password=WRONG))
    del wrong[SecretKey.SLACK_BOT_TOKEN]
    around.mounted.put(wrong)
    await told.test_channels()
    everything = f"{GROUP}/namespaces/{stage.guard_namespace}/guardedunits/rollguard-all"

    async def refused() -> bool:
        return "password authentication failed" in json.dumps(await stage.lab.api.find(everything))

    await stage.until(refused, what="the database's refusal in the guard's own record", timeout_s=WITHIN_S)
    said = await told.rollguard("status", "--guard-namespace", stage.guard_namespace)
    assert "password authentication failed" in said
    around.mounted.put(around.values())
    await told.test_channels()
    await told.logged("journal", problem="none any more")
    for incident in around.pagerduty.open():
        around.pagerduty.resolve(incident, ON_CALL)


async def a_bad_release_goes_back(told: Story) -> None:
    """On its own signals. Meanwhile an alert comes, and a service and a gateway repeat what they know."""
    around, stage, lab = told.services, told.stage, told.stage.lab
    await stage.until_adopted(NAME)
    await stage.until_known(NAME)
    around.gateway.says[BEGAN] = echo(around.values())
    around.pagerduty.echoing = 1
    # Nobody comes before it is told that it began: what is told later has a thread to go to, however slow all is.
    await lab.traffic(NAMESPACE, NAME, 0)
    await stage.release(NAME, BAD)
    await until_sent(told, BEGAN)
    await lab.traffic(NAMESPACE, NAME, RPS)
    await stage.until_rollout(NAME, "planned", "acting", "verifying", "closed", "held", timeout_s=WITHIN_S)
    await alertmanager_tells(told)
    await stage.until_undone(NAME, tag=GOOD)
    await until_sent(told, BEGAN, BACK, RECOVERED)


async def until_sent(told: Story, *topics: str) -> None:
    """Returns when the rollout has notices about these, and none of any kind is on its way."""

    async def sent() -> bool:
        told.rollout = await told.stage.until_rollout(NAME)
        notices = told.rollout["notices"]
        known = {each["topic"] for each in notices}
        return known >= {*topics} and all(each["state"] != "pending" for each in notices)

    await told.stage.until(
        sent, what=f"the notices {topics}", timeout_s=WITHIN_S, seen=lambda: told.rollout and told.rollout["notices"]
    )


async def alertmanager_tells(told: Story) -> None:
    """That an alert about the Deployment fires, and that it has ended."""
    around, stage = told.services, told.stage
    (file,) = routing(read(told.policy), "monitoring")
    guard = f"{await told.address('alerts')}/alerts"
    places = Addresses(slack_api=around.slack.api, pagerduty=around.pagerduty.enqueue, guard=guard)
    mounted = around.mounted.directory
    began = datetime.now(UTC).isoformat()
    alert = {"labels": LABELS, "annotations": {"summary": SUMMARY}, "startsAt": began}
    async with Alertmanager.running(mounted.parent / "alertmanager", adapted(file.text, mounted, places)) as teller:
        await teller.send([alert])

        async def fires() -> bool:
            return await told.alert() is not None

        await stage.until(fires, what="the alert in the unit's record", timeout_s=WITHIN_S)
        await teller.send([{**alert, "endsAt": datetime.now(UTC).isoformat()}])

        async def ended() -> bool:
            return "ended" in (await told.alert())

        await stage.until(ended, what="the alert's end in the unit's record", timeout_s=WITHIN_S)


async def test_each_channel_passes_its_test_as_soon_as_its_secret_is_there(story: Story) -> None:
    by_webhook, by_token = story.tested
    accepted = {**dict.fromkeys(OTHERS, "accepted"), "tickets": "not configured"}
    first, *rest = SLACK
    assert by_webhook == {**accepted, first: "accepted", **dict.fromkeys(rest, "shared")}
    assert by_token == {**accepted, **dict.fromkeys(SLACK, "accepted")}


async def test_slack_has_the_story_in_one_thread_and_the_page_among_incidents(story: Story) -> None:
    around = story.services
    ids = {topic: story.notice(topic)["id"] for topic in (BEGAN, BACK, RECOVERED)}
    began, back, recovered = (around.posted(DEPLOYMENTS, each) for each in ids.values())
    assert began and all(not each.thread for each in began)
    for later in (back, recovered):
        assert later and {each.thread for each in later} <= {each.ts for each in began}
    assert all(each.seen for each in back)
    assert not any(each.seen for each in recovered)
    assert around.posted(INCIDENTS, ids[BACK])
    assert not around.posted(INCIDENTS, ids[BEGAN]) + around.posted(INCIDENTS, ids[RECOVERED])


async def test_the_release_is_one_incident_which_its_recovery_resolves(story: Story) -> None:
    account, title = story.services.pagerduty, story.notice(BACK)["title"]
    assert account.echoing == 0, "PagerDuty has repeated the key once"
    opened = account.incidents[story.tests :]
    (incident,) = (each for each in opened if title in "\n".join([each.title, *each.notes]))
    assert (incident.status, incident.alerts) == ("resolved", 0)
    assert account.open() == []
    # Where the lab was too busy to be measured for a while, that was an incident before.
    assert opened == [incident] or any(each["topic"] == "blind" for each in story.rollout["notices"])
    assert "pagerduty" in story.notice(BACK)["taken"]
    assert {"name": "pagerduty", "value": incident.id} in story.rollout["references"]


async def test_the_summary_comes_by_mail_over_tls_as_text_and_html(story: Story) -> None:
    notice = story.notice(RECOVERED)
    mine = f"<{quote(notice['id'], safe='')}@{SENDER.partition('@')[2]}>"
    taken = next(each for each in story.services.mail.taken if each.mail["Message-ID"].strip() == mine)
    assert (taken.tls, taken.authenticated, taken.sender, taken.to) == (True, True, SENDER, (OPS,))
    for kind in ("plain", "html"):
        body = taken.mail.get_body((kind,))
        assert body is not None
        text = str(body.get_content())
        for fact in (notice["title"], story.rollout["why"], *story.rollout["evidence"]):
            assert fact in text, f"{fact} in the {kind} form"


async def test_each_webhook_has_what_it_took_and_every_body_is_signed(story: Story) -> None:
    around = story.services
    assert around.hooks.refused == []
    assert {each["topic"] for each in around.hooks.notices} >= {"test", BEGAN, BACK, RECOVERED}
    assert {each["topic"] for each in around.gateway.notices} >= {"test", BACK, RECOVERED}
    assert HOOKS in story.notice(BEGAN)["taken"] and GATEWAY not in story.notice(BEGAN)["taken"]


async def test_alertmanagers_alert_stands_in_the_record_with_its_end(story: Story) -> None:
    alert = await story.alert()
    assert (alert["name"], alert["deployment"], alert["summary"]) == (ALERT, NAME, SUMMARY)
    assert story.rollout["started"] < alert["starts"] < alert["ended"]


async def test_the_journal_has_every_line_of_the_rollout(story: Story) -> None:
    wanted = {entry["text"] for entry in story.rollout["timeline"]}
    found: set[str] = set()

    async def written() -> bool:
        found.update(row[8] for row in await story.services.journal())
        return found >= wanted

    await story.stage.until(written, what="the journal's lines", timeout_s=WITHIN_S, seen=lambda: wanted - found)


async def test_what_a_service_repeats_of_the_secrets_is_kept_as_their_names(story: Story) -> None:
    values = story.services.values()
    assert story.services.gateway.refused, "the gateway has repeated them"
    detail = str(story.notice(BEGAN))
    for key in (key for key, value in values.items() if MARK in value):
        assert f"[{key}]" in detail, key


async def test_no_secret_stands_in_logs_objects_output_journal_metrics_or_the_process(story: Story) -> None:
    await commands(story)
    process = Path("/proc") / str(story.guard.child.pid)
    metrics = await story.stage.lab.http.get(f"{await story.address('whoever runs beside it')}/metrics")
    kept = await objects(story.stage.lab.api, NAMESPACE, story.stage.guard_namespace)
    places = {
        "the log": story.guard.log.read_text(),
        "the command line": (process / "cmdline").read_text(),
        "the environment": (process / "environ").read_text(),
        "the metrics": metrics.text,
        "the journal": "\n".join(map(str, await story.services.journal())),
        **kept,
        **story.printed,
    }
    # That each place was really looked at: something of it is known.
    assert NAME in places["the log"] and NAME in places["the journal"]
    assert "--secrets" in places["the command line"] and "PATH=" in places["the environment"]
    assert "rollguard_notices_accepted_total" in places["the metrics"]
    kinds = {path.split("/")[-2] for path in kept}
    assert kinds >= {"guardedunits", "guardedrollouts", "configmaps", "controllerrevisions", "leases", "events"}
    assert any("unhandled exception" in text for text in kept.values()), "the evidence is unpacked"
    assert all(text.strip() for text in story.printed.values())
    assert leaks(places) == []


async def commands(story: Story) -> None:
    """Everything that a person may ask about it."""
    incident, here = story.rollout["incident"], ("--guard-namespace", story.stage.guard_namespace)
    name = f"{NAMESPACE}/{NAME}"
    await story.rollguard("status", *here)
    await story.rollguard("status", "-o", "json", *here)
    await story.rollguard("why", name, *here)
    await story.rollguard("history", name, *here)
    await story.rollguard("incident", "list", "-o", "json", *here)
    await story.rollguard("incident", "show", incident, *here)
    await story.rollguard("incident", "show", incident, "-o", "json", *here)
    await story.rollguard("incident", "report", incident, *here)
    await story.rollguard("policy", "show", str(story.policy))
    await story.rollguard("doctor", "--policy", str(story.policy), "--account", "monitoring/rollguard", *here)

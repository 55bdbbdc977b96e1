"""Who may deliver alerts, and what the answer says; ten thousand deliveries leave the state right."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollguard.adapters.secrets import Secrets
from rollguard.cli.alerts_in import BODY_MAX, Receiver
from rollguard.loop import Intake
from rollguard.model.channels import SecretKey
from rollguard.model.names import UnitName
from rollguard.model.policy import Policy
from rollguard.model.records import UnitRecord
from rollguard.model.time import Instant
from rollguard.sim.faults import Fault, FaultPlan
from rollguard.sim.process import Process, VirtualClock
from rollguard.sim.records import SimRecords
from rollguard.sim.store import RecordStore
from rollguard.sim.virtual_time import run
from tests.unit.alertmanager.deliveries import BEARER, NOW, TOKEN, Answer, alert, delivery, post
from tests.unit.judge.building import policy
from tests.unit.records import unit_record

SERVICES = tuple(f"service-{number}" for number in range(6))


class Place:
    """The receiver of a replica, over a store with the units of some Deployments."""

    def __init__(self, directory: Path, *, verified: bool = False, under: Policy | None = None) -> None:
        self.token = directory / SecretKey.ALERTMANAGER_WEBHOOK_TOKEN
        self.token.write_text(f"{TOKEN}\n")
        self.store = RecordStore(asyncio.get_running_loop())
        for name in ("api", *SERVICES):
            self.store.create_unit(replace(unit_record(), name=UnitName("production", f"deployment-{name}")))
        process = Process("replica")
        self.faults = FaultPlan(1)
        chosen = under or policy()
        self.intake = Intake(
            SimRecords(self.store, process, self.faults, leads=False), lambda: chosen, lambda _event, _fields: None
        )
        secrets = Secrets(directory)
        self.receiver = Receiver(
            self.intake,
            lambda: secrets.read(SecretKey.ALERTMANAGER_WEBHOOK_TOKEN),
            VirtualClock(process),
            verified=verified,
        )
        self.app = self.receiver.application()

    def unit(self, name: str = "api") -> UnitRecord:
        return self.store.units[UnitName("production", f"deployment-{name}")].record

    def firing(self, name: str = "api") -> list[str]:
        return sorted(each.fingerprint for each in self.unit(name).alerts if each.ended is None)


def test_an_alert_is_in_the_cluster_when_the_answer_comes(tmp_path: Path) -> None:
    async def story() -> None:
        place = Place(tmp_path)
        answer = await post(place.app, delivery(alert()))
        assert (answer.status, answer.json()["came"]) == (200, {"recorded": 1})
        assert place.firing() == ["c0ffee"]
        again = await post(place.app, delivery(alert()))
        assert (again.status, again.json()["came"]) == (200, {"known before": 1})

    run(story())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer another"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer tökén"}, 401),
        ({"Authorization": f"bearer  {TOKEN}"}, 200),
    ],
)
def test_only_who_shows_the_token_is_heard(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async def story() -> None:
        place = Place(tmp_path)
        answer = await post(place.app, delivery(alert()), headers)
        assert answer.status == status
        assert bool(place.firing()) is (status == 200)
        assert TOKEN not in answer.text

    run(story())


def test_the_token_is_read_anew_at_each_request_and_without_one_nobody_is_heard(tmp_path: Path) -> None:
    async def story() -> None:
        place = Place(tmp_path)
        place.token.unlink()
        answer = await post(place.app, delivery(alert()))
        assert answer.status == 503 and "put alertmanager-webhook-token into the Secret" in answer.text
        for nothing in ("", "\n"):
            place.token.write_text(nothing)
            assert (await post(place.app, delivery(alert()), {"Authorization": "Bearer "})).status == 503
        place.token.write_text("another")
        assert (await post(place.app, delivery(alert()))).status == 401
        assert (await post(place.app, delivery(alert()), {"Authorization": "Bearer another"})).status == 200

    run(story())


def test_a_certificate_that_was_checked_does_where_there_is_no_token(tmp_path: Path) -> None:
    async def story() -> None:
        place = Place(tmp_path, verified=True)
        assert (await post(place.app, delivery(alert()), {})).status == 401
        place.token.unlink()
        assert (await post(place.app, delivery(alert()), {})).status == 200

    run(story())


def test_other_paths_and_methods_are_not_there(tmp_path: Path) -> None:
    async def story() -> None:
        place = Place(tmp_path)
        assert (await post(place.app, b"", path="/metrics")).status == 404
        assert (await post(place.app, b"", method="GET")).status == 405

    run(story())


def test_a_body_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    async def story() -> None:
        place = Place(tmp_path)
        part = b" " * (1024 * 1024)
        answer = await post(place.app, b"", parts=[part] * (BODY_MAX // len(part) + 1))
        assert (answer.status, answer.text) == (413, f"expected at most {BODY_MAX:,} bytes")
        announced = await post(place.app, b"{}", {**BEARER, "Content-Length": str(BODY_MAX + 1)})
        assert announced.status == 413

    run(story())


def test_a_sender_that_goes_away_in_the_middle_is_no_error(tmp_path: Path) -> None:
    async def story() -> None:
        place = Place(tmp_path)
        assert (await post(place.app, b"", parts=[])).status == 408

    run(story())


def test_the_answer_says_which_alert_is_bad_and_the_others_are_taken(tmp_path: Path) -> None:
    async def story() -> None:
        place = Place(tmp_path)
        strange = alert("bb", deployment="nobody-guards-this")
        answer = await post(place.app, delivery(alert("aa"), {"status": "firing"}, strange))
        assert answer.status == 200
        assert answer.json() == {
            "came": {"of a workload that is not guarded": 1, "recorded": 1},
            "bad": [{"alert": 1, "reason": "Object missing required field `labels`"}],
            "badInAll": 1,
            "truncated": 0,
        }
        assert place.firing() == ["aa"]
        counted = place.receiver.counted()
        assert counted.alerts == {"recorded": 1, "strange": 1, "malformed": 1}
        assert counted.deliveries == {200: 1}
        assert (await post(place.app, delivery({"status": "firing"}))).status == 400

    run(story())


@pytest.mark.parametrize(
    ("told", "came"),
    [
        (alert(rollguard_action=""), "without the label rollguard_action: rollback"),
        (alert(deployment=""), "of a workload that is not guarded"),
        (alert(deployment="../../api"), "of a workload that is not guarded"),
        (alert(namespace="elsewhere"), "of a workload that is not guarded"),
        (alert(cluster="us"), "of another cluster"),
        (alert(cluster="eu"), "recorded"),
    ],
)
def test_what_is_not_the_guards_is_counted_and_no_error(tmp_path: Path, told: dict[str, Any], came: str) -> None:
    under = policy()
    under = replace(under, metrics=replace(under.metrics, cluster_label="cluster", match='cluster="eu",replica="0"'))

    async def story() -> None:
        place = Place(tmp_path, under=under)
        answer = await post(place.app, delivery(told))
        assert (answer.status, answer.json()["came"]) == (200, {came: 1})

    run(story())


def test_what_cannot_be_written_is_to_be_sent_again(tmp_path: Path) -> None:
    async def story() -> None:
        place = Place(tmp_path)
        place.faults.focus = ("records.read_unit", Fault.LOST, 0)
        both = delivery(alert("aa"), alert("bb", deployment="service-1"))
        answer = await post(place.app, both)
        assert (answer.status, answer.json()["came"]) == (503, {"not written": 1, "recorded": 1})
        again = await post(place.app, both)
        assert (again.status, again.json()["came"]) == (200, {"known before": 1, "recorded": 1})

    run(story())


# --- ten thousand ---

DELIVERIES = 10_000
Event = tuple[str, str, Instant, Instant | None]


def history(rng: random.Random) -> tuple[list[Event], dict[str, list[str]]]:
    """What really happens: firings and their ends, and what fires for each service when all of it is told."""
    events: list[Event] = []
    firing: dict[str, list[str]] = {name: [] for name in SERVICES}
    for name in SERVICES:
        for number in range(4):
            fingerprint, at = f"{name.replace('-', '')}a{number}", NOW.plus(rng.randint(0, 60))
            for turn in range(rng.randint(1, 4)):
                events.append((name, fingerprint, at, None))
                ended = at.plus(rng.randint(5, 60))
                if turn == 3 or rng.random() < 0.6:
                    events.append((name, fingerprint, at, ended))
                    at = ended.plus(rng.randint(5, 60))
                    continue
                firing[name].append(fingerprint)
                break
    return events, {name: sorted(found) for name, found in firing.items()}


def told(event: Event) -> dict[str, Any]:
    name, fingerprint, starts, ended = event
    status = "firing" if ended is None else "resolved"
    return alert(fingerprint, status=status, starts=starts, ends=ended, deployment=name)


def spoiled(rng: random.Random, body: dict[str, Any]) -> bytes:
    """The body made wrong so that it is no delivery of version 4."""
    text = json.dumps(body).encode()
    match rng.randrange(8):
        case 0:
            return text[: rng.randrange(1, len(text))]
        case 1:
            return text + b"}"
        case 2:
            return json.dumps({**body, "version": rng.choice(("3", "5", "", 4, None))}).encode()
        case 3:
            return json.dumps({**body, "alerts": rng.choice((None, {}, "x", 7))}).encode()
        case 4:
            return b"\xff" + text
        case 5:
            return json.dumps([body]).encode()
        case 6:
            return b'{"version":"4","alerts":' + b"[" * rng.randrange(1_000, 20_000)
        case _:
            return rng.randbytes(rng.randrange(200))


def bad_alert(rng: random.Random) -> Any:
    """Something that is no alert, among those that are."""
    broken = alert("ab", deployment="service-0")
    broken[rng.choice(("startsAt", "fingerprint", "labels", "status"))] = rng.choice((None, 7, [], "", "x" * 90, 1e308))
    return rng.choice((broken, None, 7, [], {}, "x", alert("ab", status="resolved"), alert("é"), alert(alertname="")))


async def send(place: Place, rng: random.Random, events: list[Event]) -> tuple[str, Answer]:
    """One delivery of whatever kind, and what it was."""
    batch = [told(event) for event in rng.sample(events, rng.randint(1, 4))]
    kind = rng.choices(("good", "bad alert", "strange", "spoiled", "stranger", "large"), (50, 15, 10, 20, 4, 1))[0]
    match kind:
        case "bad alert":
            batch.insert(rng.randrange(len(batch) + 1), bad_alert(rng))
        case "strange":
            batch.append(alert(deployment=rng.choice(("nobody", "", "a/b", "x" * 400, "\u202e"))))
        case "spoiled":
            return kind, await post(place.app, spoiled(rng, delivery(*batch)))
        case "stranger":
            return kind, await post(place.app, delivery(*batch), {"Authorization": "Bearer guessed"})
        case "large":
            return kind, await post(place.app, b"{}", {**BEARER, "Content-Length": str(BODY_MAX + rng.randint(1, 9))})
    return kind, await post(place.app, delivery(*batch))


WANTED = {"good": 200, "bad alert": 200, "strange": 200, "spoiled": 400, "stranger": 401, "large": 413}


def test_ten_thousand_deliveries_many_malformed_leave_it_healthy_and_the_state_right(tmp_path: Path) -> None:
    async def story() -> None:
        rng = random.Random(20_261_103)
        place = Place(tmp_path)
        events, firing = history(rng)
        kinds: Counter[str] = Counter()
        for _ in range(DELIVERIES // 20):
            answers = await asyncio.gather(*(send(place, rng, events) for _ in range(20)))
            for kind, answer in answers:
                assert answer.status == WANTED[kind], (kind, answer.text[:200])
                assert answer.status < 400 or len(answer.text) > 10, "with the reason"
                kinds[kind] += 1
        assert min(kinds.values()) > 50 and kinds.total() == DELIVERIES
        # each event came some hundred times, in any order: what fires now is what really does
        assert {name: place.firing(name) for name in SERVICES} == firing
        assert any(firing.values()) and not all(len(found) == 4 for found in firing.values())
        assert replace(place.unit("service-0"), alerts=()) == replace(
            unit_record(), name=UnitName("production", "deployment-service-0")
        )
        assert place.receiver.counted().deliveries[400] == kinds["spoiled"]
        answer = await post(place.app, delivery(alert("last")))
        assert (answer.status, place.firing()) == (200, ["last"])

    run(story())

"""The stand-in of PagerDuty's REST API refuses what its documentation forbids, and keeps incidents as that says."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from lab.standins.pagerduty import PagerDuty, pagerduty
from lab.standins.pagerduty_rules import ACCEPT, AT_ONCE, NOTES_MAX, OPEN_ALREADY

KEY = "r" * 32
INCIDENT = {
    "type": "incident",
    "title": "Bad release held",
    "service": {"id": "PWIXJZS", "type": "service_reference"},
    "incident_key": "rollguard.api-r2",
    "body": {"type": "incident_body", "details": "error-rate 14.8% > 10%"},
}
CHANGE = {"id": "Q000001", "type": "incident_reference", "status": "resolved", "resolution": "recovered"}


@pytest_asyncio.fixture(scope="module")
async def account() -> AsyncIterator[PagerDuty]:
    async with pagerduty(PagerDuty(routing_key=KEY)) as running:
        yield running


@pytest.fixture
def service(account: PagerDuty) -> PagerDuty:
    account.incidents.clear()
    account.refused.clear()
    return account


@pytest_asyncio.fixture(scope="module")
async def client(account: PagerDuty) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Token token={account.token}", "Accept": ACCEPT, "From": account.users[0]}
    async with httpx2.AsyncClient(trust_env=False, base_url=account.url, headers=headers) as made:
        yield made


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good incident with one value changed; None takes it away."""
    incident = copy.deepcopy(INCIDENT)
    *way, last = path.split(".")
    place: Any = incident
    for step in way:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return {"incident": incident}


BAD = [
    ({}, 2001, "'incident' is missing"),
    ([INCIDENT], 2001, "'incident' is missing"),
    (changed("type", None), 2001, "'type'"),
    (changed("title", None), 2001, "'title'"),
    (changed("title", " "), 2001, "'title'"),
    (changed("incident_key", 7), 2001, "'incident_key'"),
    (changed("service", None), 2001, "'service'"),
    (changed("service.type", "service"), 2001, "'service'"),
    (changed("urgency", "critical"), 2001, "'urgency'"),
    (changed("body.type", None), 2001, "'body'"),
    (changed("body.details", {"a": "b"}), 2001, "'details'"),
    (changed("severity", "critical"), 2001, "'severity'"),
    ({"incident": {**INCIDENT, "assignments": [], "escalation_policy": {}}}, 2001, "'assignments'"),
]


@pytest.mark.parametrize(("body", "code", "words"), BAD, ids=range(len(BAD)))
async def test_a_bad_incident_is_refused(
    client: httpx2.AsyncClient, service: PagerDuty, body: Any, code: int, words: str
) -> None:
    answer = await client.post("/incidents", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert words in error["errors"][0]
    assert service.incidents == []


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, 2006),
        ({"Authorization": "Bearer u+tttttttttttttttttt"}, 401, 2006),
        ({"Authorization": "Token token=another"}, 401, 2006),
        ({"Accept": "application/json"}, 400, 2002),
        ({"From": "nobody@example.com"}, 400, 1008),
        ({"From": ""}, 400, 1008),
        ({"Content-Type": "text/plain"}, 400, 2002),
    ],
)
async def test_a_request_needs_its_headers(
    client: httpx2.AsyncClient, service: PagerDuty, headers: dict[str, str], status: int, code: int
) -> None:
    answer = await client.post("/incidents", json={"incident": INCIDENT}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert service.incidents == []


async def test_a_body_that_is_no_json_and_another_service_are_refused(
    client: httpx2.AsyncClient, service: PagerDuty
) -> None:
    broken = await client.post("/incidents", content="{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, 2001)
    elsewhere = await client.post("/incidents", json=changed("service.id", "P0"))
    assert (elsewhere.status_code, elsewhere.json()["error"]["code"]) == (404, 5002)
    assert service.incidents == []


async def test_a_second_incident_of_an_open_key_is_refused_and_one_after_it_is_resolved_is_not(
    client: httpx2.AsyncClient, service: PagerDuty
) -> None:
    first = await client.post("/incidents", json={"incident": INCIDENT})
    assert (first.status_code, first.json()["incident"]["id"]) == (201, "Q000001")
    second = await client.post("/incidents", json={"incident": INCIDENT})
    assert second.status_code == 400
    assert second.json() == {"error": {"message": "Arguments Caused Error", "code": 2002, "errors": [OPEN_ALREADY]}}
    service.resolve(service.incidents[0], "Alice")
    assert (await client.post("/incidents", json={"incident": INCIDENT})).status_code == 201


async def test_incidents_are_found_by_key_status_and_service(client: httpx2.AsyncClient, service: PagerDuty) -> None:
    await client.post("/incidents", json={"incident": INCIDENT})
    query = {"incident_key": "rollguard.api-r2", "statuses[]": ["triggered", "acknowledged"], "date_range": "all"}

    async def found(**more: str) -> list[str]:
        answer = await client.get("/incidents", params={**query, **more})
        return [each["id"] for each in answer.json()["incidents"]]

    assert await found() == ["Q000001"]
    assert await found(incident_key="other") == []
    assert await found(**{"service_ids[]": "P0"}) == []
    service.resolve(service.incidents[0], "Alice")
    assert await found() == []
    for wrong in ({"key": "x"}, {"statuses[]": "open"}, {"date_range": "1d"}, {"limit": "101"}):
        assert (await client.get("/incidents", params=wrong)).status_code == 400


async def test_who_acknowledged_is_told_until_it_is_resolved(client: httpx2.AsyncClient, service: PagerDuty) -> None:
    await client.post("/incidents", json={"incident": INCIDENT})
    assert (await client.get("/incidents/Q000001")).json()["incident"]["acknowledgements"] == []
    service.acknowledge(service.incidents[0], "Alice")
    shown = (await client.get("/incidents/Q000001")).json()["incident"]
    assert (shown["status"], shown["acknowledgements"][0]["acknowledger"]["summary"]) == ("acknowledged", "Alice")
    service.resolve(service.incidents[0], "Bob")
    shown = (await client.get("/incidents/Q000001")).json()["incident"]
    assert (shown["acknowledgements"], shown["last_status_change_by"]["summary"]) == ([], "Bob")
    missing = await client.get("/incidents/Q9")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, 2100)


BAD_CHANGES = [
    ({}, 400, 2001),
    ({"incidents": []}, 400, 2001),
    ({"incidents": ["Q000001"]}, 400, 2001),
    ({"incidents": [{**CHANGE, "type": "event"}]}, 400, 2001),
    ({"incidents": [{**CHANGE, "status": "closed"}]}, 400, 1003),
    ({"incidents": [{**CHANGE, "status": "acknowledged"}]}, 400, 2001),
    ({"incidents": [{**CHANGE, "note": "x"}]}, 400, 2001),
    ({"incidents": [{**CHANGE, "id": "Q9"}]}, 404, 2100),
    ({"incidents": [CHANGE] * (AT_ONCE + 1)}, 413, 2001),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_CHANGES, ids=range(len(BAD_CHANGES)))
async def test_a_bad_change_is_refused(
    client: httpx2.AsyncClient, service: PagerDuty, body: Any, status: int, code: int
) -> None:
    await client.post("/incidents", json={"incident": INCIDENT})
    answer = await client.put("/incidents", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert service.incidents[0].open


async def test_an_incident_is_resolved_once(client: httpx2.AsyncClient, service: PagerDuty) -> None:
    await client.post("/incidents", json={"incident": INCIDENT})
    assert (await client.put("/incidents", json={"incidents": [CHANGE]})).status_code == 200
    assert (service.incidents[0].status, service.incidents[0].resolution) == ("resolved", "recovered")
    again = await client.put("/incidents", json={"incidents": [CHANGE]})
    assert (again.status_code, again.json()["error"]["code"]) == (400, 1001)


async def test_a_note_is_text_and_there_are_not_more_than_2000(client: httpx2.AsyncClient, service: PagerDuty) -> None:
    await client.post("/incidents", json={"incident": INCIDENT})
    bad: list[dict[str, Any]] = [{}, {"note": {}}, {"note": {"content": ""}}, {"note": {"content": "x", "author": "x"}}]
    for wrong in bad:
        assert (await client.post("/incidents/Q000001/notes", json=wrong)).status_code == 400
    assert (await client.post("/incidents/Q000001/notes", json={"note": {"content": "x"}})).status_code == 200
    listed = (await client.get("/incidents/Q000001/notes")).json()["notes"]
    assert [note["content"] for note in listed] == ["x"]
    service.incidents[0].notes = ["x"] * NOTES_MAX
    assert (await client.post("/incidents/Q000001/notes", json={"note": {"content": "x"}})).status_code == 400


async def test_a_limit_says_when_it_ends(client: httpx2.AsyncClient, service: PagerDuty) -> None:
    service.limited = 1
    limited = await client.post("/incidents", json={"incident": INCIDENT})
    assert (limited.status_code, limited.json()["error"]["code"]) == (429, 2020)
    assert limited.headers["ratelimit-reset"] == "20"
    assert (await client.post("/incidents", json={"incident": INCIDENT})).status_code == 201


async def test_an_incident_that_an_event_opened_is_found_and_resolved_by_the_other_api(
    client: httpx2.AsyncClient, service: PagerDuty
) -> None:
    payload = {"summary": "Bad release held", "source": "production/api", "severity": "critical"}
    event = {"routing_key": KEY, "event_action": "trigger", "dedup_key": "k", "payload": payload}
    for _ in range(2):
        assert (await client.post("/v2/enqueue", json=event)).status_code == 202
    (opened,) = (await client.get("/incidents", params={"incident_key": "k"})).json()["incidents"]
    assert opened["incident_key"] is None  # incidents of alerts have none
    assert (await client.post("/incidents", json=changed("incident_key", "k"))).status_code == 400
    end = {"routing_key": KEY, "event_action": "resolve", "dedup_key": "k"}
    assert (await client.post("/v2/enqueue", json=end)).status_code == 202
    assert service.open() == []

"""What a unit's record keeps of alerts: the same, however often and in whatever order they come."""

from __future__ import annotations

import random
from dataclasses import replace

from rollguard.model.alerting import ReceivedAlert
from rollguard.model.time import Instant
from rollguard.record import unit_from_json, unit_to_json, with_alerts
from rollguard.record.alerts import ALERTS_MAX
from tests.unit.records import unit_record

T = Instant(1_793_500_000.0)


def alert(fingerprint: str = "a", starts: float = 0.0, ended: float | None = None) -> ReceivedAlert:
    return ReceivedAlert(
        name="CheckoutSlow",
        fingerprint=fingerprint,
        deployment="api",
        starts=T.plus(starts),
        recorded=T,
        ended=T.plus(ended) if ended is not None else None,
        summary="slow",
    )


def firing(*delivered: ReceivedAlert) -> list[tuple[str, float]]:
    found = with_alerts(unit_record(), delivered).alerts
    return [(each.fingerprint, each.starts.since(T)) for each in found if each.ended is None]


def test_a_repeat_changes_nothing_not_even_when_it_was_recorded_or_what_it_says() -> None:
    once = with_alerts(unit_record(), [alert()])
    again = replace(alert(), recorded=T.plus(60), summary="slower")
    assert with_alerts(once, [again, again]) == once


def test_it_survives_the_way_through_the_cluster() -> None:
    record = with_alerts(unit_record(), [alert(), alert("b", 1, 2)])
    assert unit_from_json(unit_to_json(record)).record.alerts == record.alerts


def test_an_end_withdraws_the_firing_whichever_comes_first() -> None:
    assert firing(alert(), alert(ended=9)) == []
    assert firing(alert(ended=9), alert()) == []


def test_an_end_counts_for_what_began_before_it_under_another_start_too() -> None:
    # two replicas of Prometheus evaluate at different moments, and Alertmanager keeps the earlier start
    assert firing(alert(starts=5), alert(starts=0, ended=9)) == []


def test_a_late_end_of_the_firing_before_does_not_end_the_next() -> None:
    assert firing(alert(), alert(starts=20), alert(ended=9)) == [("a", 20.0)]


def test_the_record_comes_to_the_same_in_any_order_and_batching() -> None:
    rng = random.Random(7)
    told = [
        each
        for name in "abc"
        for each in (
            alert(name, 0),
            alert(name, 0, 9),
            alert(name, 20),
            *([alert(name, 20, 29), alert(name, 25)] if name != "a" else []),
            *([alert(name, 40)] if name == "c" else []),
        )
    ]
    wanted = {"a": [20.0], "b": [], "c": [40.0]}
    whole = with_alerts(unit_record(), told)
    for _ in range(200):
        rng.shuffle(told)
        record = unit_record()
        rest = [*told, *rng.sample(told, 5)]
        while rest:
            size = rng.randint(1, 4)
            record, rest = with_alerts(record, rest[:size]), rest[size:]
        assert record == whole
    by_name = {n: [a.starts.since(T) for a in whole.alerts if a.fingerprint == n and a.ended is None] for n in wanted}
    assert by_name == wanted


def test_there_is_room_for_32_and_ended_ones_go_first_then_the_oldest() -> None:
    many = [alert(f"f{n}", float(n)) for n in range(ALERTS_MAX)]
    full = with_alerts(unit_record(), [alert("gone", 100, 200), *many])
    assert list(full.alerts) == many
    newer = with_alerts(full, [alert("new", 500)])
    assert [each.fingerprint for each in newer.alerts] == [*(f"f{n}" for n in range(1, ALERTS_MAX)), "new"]
    # what has no room changes nothing, however often it comes
    assert with_alerts(newer, [many[0]]) == newer

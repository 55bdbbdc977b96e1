"""The guard's own metrics, as Prometheus reads them."""

from __future__ import annotations

from rollguard.cli.exposition import exposition
from rollguard.loop import Status


def test_failed_watches_and_a_policy_with_mistakes_show() -> None:
    status = Status(
        leading=True,
        active=True,
        waiting="",
        standby=False,
        epoch=4,
        ticks=1,
        late_ticks=0,
        last_tick_seconds=0.1,
        since_look=3.0,
        tick=15.0,
        errors=0,
        units=(),
        open_rollouts=0,
        blind_signals=(),
        outbox_pending=0,
        doctor_failures=(("rights", 2),),
        policy="",
        policy_mistakes=("spec.mode: ...",),
    )
    text = exposition(status, {"pods in production": 3, "events in production": 0})
    assert 'rollguard_watch_errors_total{collection="pods in production"} 3.0' in text
    assert 'rollguard_watch_errors_total{collection="events in production"} 0.0' in text
    assert 'rollguard_doctor_failures{check="rights"} 2.0' in text
    assert "rollguard_policy_valid 0.0" in text

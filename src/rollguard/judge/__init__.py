"""Observation -> Verdict: levels over pooled slots, event rules, the reference beside each value. Pure."""

from rollguard.judge.events import firing_alerts, live_colour
from rollguard.judge.levels import BLIND_AFTER
from rollguard.judge.memory import JudgeState
from rollguard.judge.sets import of_member, of_set, with_finding
from rollguard.judge.siblings import Recovery, RecoveryLook, alerts_over, breaches, of_all, recovered
from rollguard.judge.verdict import judge, signals_of

__all__ = [
    "BLIND_AFTER",
    "JudgeState",
    "Recovery",
    "RecoveryLook",
    "alerts_over",
    "breaches",
    "firing_alerts",
    "judge",
    "live_colour",
    "of_all",
    "of_member",
    "of_set",
    "recovered",
    "signals_of",
    "with_finding",
]

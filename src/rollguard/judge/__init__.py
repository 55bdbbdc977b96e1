"""Observation -> Verdict: levels over pooled slots, event rules, the reference beside each value. Pure."""

from rollguard.judge.levels import BLIND_AFTER
from rollguard.judge.memory import JudgeState
from rollguard.judge.sets import of_member, of_set
from rollguard.judge.siblings import Recovery, RecoveryLook, breaches, of_all, recovered
from rollguard.judge.verdict import judge, signals_of

__all__ = [
    "BLIND_AFTER",
    "JudgeState",
    "Recovery",
    "RecoveryLook",
    "breaches",
    "judge",
    "of_all",
    "of_member",
    "of_set",
    "recovered",
    "signals_of",
]

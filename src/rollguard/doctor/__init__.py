"""Every reason why the guard would not work on a cluster, each with what to do. Pure: facts in, checks out."""

from rollguard.doctor.check import Check, State, Topic
from rollguard.doctor.every import TOPICS, examine
from rollguard.doctor.together import together

__all__ = ["TOPICS", "Check", "State", "Topic", "examine", "together"]

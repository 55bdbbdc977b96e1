"""Facts and answers -> what is seen of a rollout: which slot, which arm, which rollout. Pure."""

from rollguard.observe.candidates import known_revisions, no_way_back
from rollguard.observe.fold import fold
from rollguard.observe.good import content_of, good_revision
from rollguard.observe.observation import observation, of_unit
from rollguard.observe.owners import owners
from rollguard.observe.pods import KnownPod, PodIndex
from rollguard.observe.references import references
from rollguard.observe.rollouts import Begun, adoption, rollout_begun, rollout_id, settled_target
from rollguard.observe.slots import instants, slot_at, slot_ends, slots_ended

__all__ = [
    "Begun",
    "KnownPod",
    "PodIndex",
    "adoption",
    "content_of",
    "fold",
    "good_revision",
    "instants",
    "known_revisions",
    "no_way_back",
    "observation",
    "of_unit",
    "owners",
    "references",
    "rollout_begun",
    "rollout_id",
    "settled_target",
    "slot_at",
    "slot_ends",
    "slots_ended",
]

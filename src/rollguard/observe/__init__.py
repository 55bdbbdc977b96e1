"""Facts and answers -> what is seen of a rollout: which slot, which arm, which rollout. Pure."""

from rollguard.observe.candidates import known_revisions, no_way_back
from rollguard.observe.deserted import deserted, left_behind
from rollguard.observe.fold import fold
from rollguard.observe.good import content_of, good_revision
from rollguard.observe.members import good_side, member_facts, member_record, member_situation, side_adopted
from rollguard.observe.observation import observation, of_unit
from rollguard.observe.owners import owners
from rollguard.observe.pods import KnownPod, PodIndex
from rollguard.observe.references import references
from rollguard.observe.rollouts import Begun, adoption, rollout_begun, rollout_id, settled_target
from rollguard.observe.sets import (
    at_rest,
    is_of,
    joined,
    live_colours,
    passages,
    ready_pods,
    serving,
    switch_begun,
    ways_back,
)
from rollguard.observe.slots import instants, slot_at, slot_ends, slots_ended

__all__ = [
    "Begun",
    "KnownPod",
    "PodIndex",
    "adoption",
    "at_rest",
    "content_of",
    "deserted",
    "fold",
    "good_revision",
    "good_side",
    "instants",
    "is_of",
    "joined",
    "known_revisions",
    "left_behind",
    "live_colours",
    "member_facts",
    "member_record",
    "member_situation",
    "no_way_back",
    "observation",
    "of_unit",
    "owners",
    "passages",
    "ready_pods",
    "references",
    "rollout_begun",
    "rollout_id",
    "serving",
    "settled_target",
    "side_adopted",
    "slot_at",
    "slot_ends",
    "slots_ended",
    "switch_begun",
    "ways_back",
]

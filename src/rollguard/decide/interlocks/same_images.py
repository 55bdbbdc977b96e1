"""With the same images the old version is the same program."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "same images"


def same_images(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where the revision to go back to runs the same images."""
    good = situation.way_back()
    if good is not None and good.images == situation.rollout.target_images:
        return forbids(NAME, f"revision {good.number} has the same images: going back may not help", judging=True)
    return clear(NAME, "the images differ", judging=True)

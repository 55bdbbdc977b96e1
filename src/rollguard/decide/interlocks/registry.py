"""A registry in trouble is not a broken release."""

from __future__ import annotations

from rollguard.decide.findings import blames
from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Attribution, Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "registry trouble"


def registry_trouble(_situation: Situation, verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where images cannot be pulled for a reason that lies with the registry."""
    finding = blames(verdict, Attribution.REGISTRY)
    if finding is not None:
        return forbids(NAME, f"the registry is in trouble, not the image: {finding.text}", judging=True)
    return clear(NAME, "no image pull fails because of its registry", judging=True)

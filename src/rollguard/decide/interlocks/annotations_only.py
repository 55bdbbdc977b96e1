"""A restart changes annotations only: undoing it cannot help."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "annotations only"


def annotations_only(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where the template to go back to differs from the running one in its annotations alone."""
    good = situation.way_back()
    if good is not None and any(m.template.bare_digest == good.bare_digest for m in situation.facts.members):
        said = f"revision {good.number} differs in annotations only (as after a restart): going back cannot help"
        return forbids(NAME, said, judging=True)
    return clear(NAME, "the templates differ in more than annotations", judging=True)

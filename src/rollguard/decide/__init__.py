"""Verdict and facts -> Decision; one file per interlock. Pure: decides, never acts."""

from rollguard.decide.deciding import decide
from rollguard.decide.interlocks.every import EVERY, OF_IDLE_COLOUR
from rollguard.decide.sets import Judged, decide_set

__all__ = ["EVERY", "OF_IDLE_COLOUR", "Judged", "decide", "decide_set"]

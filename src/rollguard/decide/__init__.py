"""Verdict and facts -> Decision; one file per interlock. Pure: decides, never acts."""

from rollguard.decide.deciding import decide
from rollguard.decide.sets import Judged, decide_set

__all__ = ["Judged", "decide", "decide_set"]

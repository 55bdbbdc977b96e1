"""Verdict and facts -> Decision; one file per interlock. Pure: decides, never acts."""

from rollguard.decide.deciding import decide

__all__ = ["decide"]

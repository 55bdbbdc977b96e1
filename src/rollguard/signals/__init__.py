"""One signal definition -> what the metrics store is asked. Each kind of signal is a file and one entry in `KINDS`."""

from rollguard.signals.asking import KINDS, LONGEST_EXPRESSION, asked, joined, question

__all__ = ["KINDS", "LONGEST_EXPRESSION", "asked", "joined", "question"]

"""Frozen nouns and outcomes that all rooms share; no behaviour beyond arithmetic on the nouns themselves."""

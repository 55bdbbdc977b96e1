"""What the expressions of a question yield, by the name of the part."""

from __future__ import annotations

BAD = "bad"
TOTAL = "total"
BUCKET = "bucket"
COUNT = "count"
VALUE = "value"
LIMIT = "limit"
RESETS = "resets"
NEWEST = "newest"

SUBJECTS = frozenset({TOTAL, BUCKET, COUNT, VALUE})
"""One of these is in each question: a pod that has none of it has no reading."""

ABSENT_IS_ZERO = frozenset({BAD, RESETS})
"""A pod with a subject and without series of these had none of them: the value is 0. A counter of bad requests
often appears with the first one."""

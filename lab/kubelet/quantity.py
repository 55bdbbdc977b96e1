"""Quantities of the Kubernetes API: `100m`, `1.5`, `256Mi`."""

from __future__ import annotations

_SUFFIXES = {
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
}  # fmt: skip


def parse_quantity(text: str | float) -> float:
    """The value in units (cores, bytes). Raises ValueError for what is not a quantity."""
    if not isinstance(text, str):
        return float(text)
    for suffix, factor in _SUFFIXES.items():
        if text.endswith(suffix):
            return float(text[: -len(suffix)]) * factor
    return float(text)

"""Takes secrets out of logs and messages before they are kept. Better one word too many than one too few."""

from __future__ import annotations

import re

HIDDEN = "[masked]"

_RULES = (
    (re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?(?:-----END \1-----|\Z)", re.DOTALL), HIDDEN),
    (
        re.compile(
            r"(?i)(\b(?:proxy-)?authorization\b[\"']?\s*[:=]\s*[\"']?)(?:(?:bearer|basic|digest|token)\s+)?[^\s\"',;]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{12,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@\"']+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{35}"), HIDDEN),
    (re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,})"), HIDDEN),
    (re.compile(r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}"), HIDDEN),
    (
        re.compile(
            r"(?i)([\"']?[\w.-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key"
            r"|credential)[\w.-]*[\"']?\s*[:=]\s*)(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',;&}]+)"
        ),
        rf"\1{HIDDEN}",
    ),
)


def mask(text: str) -> str:
    """The text without Authorization headers, user info in URLs, PEM blocks, JWTs, keys of clouds, and assigned
    passwords, tokens and secrets."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text

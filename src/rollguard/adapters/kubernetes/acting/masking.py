"""Takes secrets out of logs and messages before they are kept. Better one word too many than one too few."""

from __future__ import annotations

import re

HIDDEN = "[masked]"

_WORDS = (
    r"password|passwd|pwd|passphrase|(?<![a-z])pass(?![a-z])|secret|token|credential"
    r"|(?:api|access|account|private|client)[_-]?key"
)
# JSON within JSON, as log lines have it: quotes may be escaped, once or more.
_QUOTE = r"(?:\\{0,8}[\"'])?"
_VALUE = (
    r"(?:\\{1,8}\"(?:[^\"\\\n]|\\(?!\")){0,4096}\\{1,8}\"|\"(?:[^\"\\\n]|\\.){0,4096}\"|'(?:[^'\\\n]|\\.){0,4096}'"
    r"|[^\s\"',;&}\\]{1,8192})"
)

# Every repetition is bounded: a log's line can be long, and searching must stay linear in it.
_RULES = (
    (
        re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----(?:[^-]|-(?!----)){0,16384}(?:-----END [A-Z0-9 ]{1,40}-----)?"),
        HIDDEN,
    ),
    (
        re.compile(
            # Go prints a header as map[Authorization:[Bearer ...]].
            r"(?i)(authorization[\"']?\s{0,4}[:=]\s{0,4}\[?[\"']?)"
            r"(?:(?:bearer|basic|digest|token)\s{1,4})?[^\s\"',;\]]{1,8192}"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s{1,4}[a-z0-9._~+/=-]{12,8192}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(://)[^\s/@:\"']{1,256}:[^\s@\"']{1,256}@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(://)[^\s/@\"']{1,256}@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s\"']{1,512}"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)([?&](?:x-amz-[a-z-]{1,40}|sig|signature|sv|code)=)[^\s&\"']{1,4096}"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b((?:set-)?cookie\\*[\"']?\s{0,4}[:=]\s{0,4}).{1,8192}"), rf"\1{HIDDEN}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,8192}\.[A-Za-z0-9_-]{4,8192}(?:\.[A-Za-z0-9_-]{0,8192})?"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{35}"), HIDDEN),
    (
        re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{20,64}"
            r"|xox[abprs]-[A-Za-z0-9-]{10,255})"
        ),
        HIDDEN,
    ),
    (re.compile(r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,255}"), HIDDEN),
    # --db-password VALUE
    (
        re.compile(
            rf"(?i)((?<![\w.-])--?[\w.-]{{0,40}}(?:{_WORDS})[\w.-]{{0,40}}\s{{1,4}})[^\s\"'-][^\s\"']{{0,8191}}"
        ),
        rf"\1{HIDDEN}",
    ),
    # "name": "DB_PASSWORD", "value": "..."
    (
        re.compile(
            rf"(?i)(name{_QUOTE}\s{{0,4}}[:=]\s{{0,4}}{_QUOTE}[\w.-]{{0,80}}(?:{_WORDS})[\w.-]{{0,80}}{_QUOTE}"
            rf"\s{{0,4}},?\s{{0,40}}{_QUOTE}value{_QUOTE}\s{{0,4}}[:=]\s{{0,4}}){_VALUE}"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(rf"(?i)((?:{_WORDS})[\w.-]{{0,40}}{_QUOTE}\s{{0,4}}[:=]\s{{0,4}}){_VALUE}"), rf"\1{HIDDEN}"),
)


def mask(text: str) -> str:
    """The text without Authorization headers, user info in URLs, PEM blocks, JWTs, keys of clouds, and assigned
    passwords, tokens and secrets."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text

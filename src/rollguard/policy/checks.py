"""The checks of single values, as types for the document: each says what was expected where it fails."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic_core import PydanticCustomError

from rollguard.policy import durations, promql

_DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_NAME_PATTERN = re.compile(r"(?=.{1,253}\Z)(?=.*[a-z0-9])[-a-z0-9.*?]+", re.ASCII)
_SIGNAL_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_LABEL_KEY = re.compile(
    r"(?:(?=[^/]{1,253}/)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?",
    re.ASCII,
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
_ALERT_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_SECRET_HEADER = re.compile(
    r"authorization|^x-auth|cookie|token|secret|password|(?:api|access|application)-?key", re.IGNORECASE | re.ASCII
)
_SLACK_CHANNEL = re.compile(r"#[a-z0-9_-]{1,80}|[CG][A-Z0-9]{8,}", re.ASCII)
_MAILBOX = re.compile(
    r"(?=.{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(.+)", re.ASCII
)
_CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
LONGEST_LINE = 300
_NUL_OR_BREAK = re.compile(r"[\r\n\x00]")


def expected(text: str) -> PydanticCustomError:
    """The error that says what was expected."""
    return PydanticCustomError("expected", "{text}", {"text": text})


def duration(value: object) -> float:
    """Seconds of a duration that is longer than none."""
    seconds = durations.parse(value) if isinstance(value, str) else None
    if not seconds:
        raise expected(durations.EXPECTED)
    return seconds


def duration_or_none(value: object) -> float:
    """Seconds of a duration, which may be `0s`."""
    seconds = durations.parse(value) if isinstance(value, str) else None
    if seconds is None:
        raise expected(durations.EXPECTED)
    return seconds


def _matching(pattern: re.Pattern[str], words: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise expected(words)
        return value

    return check


dns_label = _matching(_DNS_LABEL, "a name of lower-case letters, digits and `-`, as Kubernetes has it")
dns_name = _matching(_DNS_NAME, "a name of lower-case letters, digits, `-` and `.`, as Kubernetes has it")
name_pattern = _matching(
    _NAME_PATTERN, "a pattern of names such as prisma-migrate-*: lower-case letters, digits, `-`, `.`, and `*` or `?`"
)
signal_name = _matching(_SIGNAL_NAME, "a signal's name of lower-case letters, digits and `-`")
label_name = _matching(_LABEL_NAME, "the name of a metrics label")
alert_name = _matching(_ALERT_NAME, "an alert's name of letters and digits that begins with a capital: HighErrorRate")
label_value = _matching(_LABEL_VALUE, "a Kubernetes label value")
service_name = _matching(_DNS_LABEL, "the name of a Service: lower-case letters, digits and `-`")
identifier = _matching(_IDENTIFIER, "a name of letters, digits and `_`")
label_key = _matching(_LABEL_KEY, "the key of a Kubernetes label, such as app or example.com/app")
header_name_shape = _matching(_HEADER_NAME, "the name of an HTTP header")


def is_dns_name(value: str) -> bool:
    """Whether it can be the name of a Deployment."""
    return _DNS_NAME.fullmatch(value) is not None


def is_label_key(value: str) -> bool:
    """Whether it can be the key of a Kubernetes label."""
    return _LABEL_KEY.fullmatch(value) is not None


def is_label_value(value: str) -> bool:
    """Whether it can be the value of a Kubernetes label, and says something."""
    return bool(value) and _LABEL_VALUE.fullmatch(value) is not None


def line(value: str) -> str:
    """One line of text."""
    if not value.strip() or len(value) > LONGEST_LINE or not value.isprintable():
        raise expected(f"one line of text, at most {LONGEST_LINE} characters")
    return value


def header_name(value: str) -> str:
    """A header that carries no secret: those come from files."""
    if _SECRET_HEADER.search(value):
        raise expected("a header without a secret: use bearerTokenFile, or username with passwordFile")
    return header_name_shape(value)


def header_value(value: str) -> str:
    """One line of ASCII."""
    if _NUL_OR_BREAK.search(value) or not value.isascii():
        raise expected("one line of ASCII text")
    return value


def url(value: str) -> str:
    """An http or https address without user information, query or fragment."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise expected("an address such as https://prometheus.example.com:9090") from error
    if parts.username is not None or parts.password is not None:
        raise expected("an address without user name and password: secrets come from files")
    if parts.scheme not in {"http", "https"} or not parts.hostname or any(sign.isspace() for sign in value):
        raise expected("an address such as https://prometheus.example.com:9090")
    if parts.query or parts.fragment:
        raise expected("an address without `?` and `#`")
    return value.rstrip("/")


def secured_url(value: str) -> str:
    """An address that a secret may be sent to: https, or a loopback address."""
    found = url(value)
    parts = urlsplit(found)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise expected("an address that begins with https://: a secret is sent there")
    return found


def file_name(value: str) -> str:
    """The absolute path of a file."""
    if not value.startswith("/") or "\x00" in value:
        raise expected("the absolute path of a file, such as /etc/rollguard/token")
    return value


def time_zone(value: str) -> str:
    """A name of the time zone database."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise expected("a time zone such as UTC or Europe/Berlin") from error
    return value


def clock_time(value: object) -> int:
    """Minutes after midnight of a time of the day."""
    found = _CLOCK_TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise expected('a time of the day in quotes, such as "22:00" or "06:30"')
    return int(found[1]) * 60 + int(found[2])


def end_time(value: object) -> int:
    """The same; 24:00 is the end of the day."""
    return 1440 if value == "24:00" else clock_time(value)


def slack_channel(value: object) -> str:
    """The name of a Slack channel with its `#`, or its id."""
    if not isinstance(value, str) or not _SLACK_CHANNEL.fullmatch(value):
        raise expected(
            'a Slack channel in quotes, such as "#deployments", or its id, such as C0123456789: a name has lower-case'
            " letters, digits, `-` and `_`"
        )
    return value


def mail_address(value: str) -> str:
    """An address of a mailbox, without a name before it."""
    found = _MAILBOX.fullmatch(value)
    if not found or not is_dns_name(found[1].lower()):
        raise expected("a mail address such as ops-team@example.com")
    return value


def host(value: str) -> str:
    """The name of a host, or its IP address."""
    if not is_dns_name(value.lower()) and not _is_ip(value):
        raise expected("the name of a host such as smtp.example.com, or an IP address")
    return value


def _is_ip(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def not_yet(word: str, instead: str) -> Callable[[object], object]:
    """Refuses a value that is designed and not built."""

    def check(value: object) -> object:
        if value == word:
            raise expected(f"{instead}: `{word}` comes later")
        return value

    return check


def selector(value: str) -> str:
    """A PromQL vector selector."""
    problem = promql.problem_of_selector(value)
    if problem:
        raise expected(f'a PromQL selector such as http_requests_total{{status=~"5.."}}: {problem}')
    return value


def expression(value: str) -> str:
    """A PromQL expression."""
    problem = promql.problem_of_expression(value)
    if problem:
        raise expected(f"a PromQL expression that keeps the labels of namespace and pod: {problem}")
    return value


def matchers(value: str) -> str:
    """PromQL label matchers."""
    problem = promql.problem_of_matchers(value) if value.strip() else None
    if problem:
        raise expected(f'label matchers such as cluster="eu",replica="a": {problem}')
    return value

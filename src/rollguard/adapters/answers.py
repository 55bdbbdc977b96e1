"""What the answers of services that take notices mean for a repeat."""

from __future__ import annotations

import httpx2

from rollguard.adapters.numbers import whole_number

PAUSE_S = 5.0
LONGEST_PAUSE_S = 300
TOO_MANY_REQUESTS = 429
_SERVER_ERRORS = 500
_REQUEST_TIMEOUT = 408


def passing(response: httpx2.Response) -> bool:
    """Whether the same request may be taken later."""
    return response.status_code in (_REQUEST_TIMEOUT, TOO_MANY_REQUESTS) or response.status_code >= _SERVER_ERRORS


def words(response: httpx2.Response) -> str:
    """What the answer says, as UTF-8 whatever it calls itself: every text can be kept in a record."""
    return response.content.decode(errors="replace")


def pause(response: httpx2.Response, header: str = "Retry-After") -> float:
    """Seconds until then, as the server says in that header, within bounds."""
    seconds = whole_number(response.headers.get(header, ""))
    return float(min(seconds, LONGEST_PAUSE_S)) if seconds is not None else PAUSE_S

"""The log of one container run: bounded lines with the time of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from lab.kubelet.timestamps import rfc3339_nano

_LINES_MAX = 5000

SECRET_LINE = "DEBUG upstream request headers: Authorization: Bearer abcdef0123456789.lab-fake-token"
"""A made-up secret in every log, so that masking has something to mask."""

TRACEBACK = """Traceback (most recent call last):
  File "/app/main.py", line 12, in <module>
    start(load_settings())
  File "/app/settings.py", line 40, in load_settings
    return Settings(**values)
TypeError: Settings.__init__() missing 1 required argument: 'region'"""


class ContainerLog:
    def __init__(self) -> None:
        self._lines: deque[tuple[float, str]] = deque(maxlen=_LINES_MAX)

    def write(self, now: float, text: str) -> None:
        self._lines.extend((now, line) for line in text.splitlines())

    def read(self, query: Mapping[str, str], now: float) -> bytes:
        """The lines as the kubelet serves them: `tailLines`, `sinceSeconds`, `timestamps`, `limitBytes`."""
        lines = list(self._lines)
        if "sinceSeconds" in query:
            lines = [line for line in lines if line[0] >= now - float(query["sinceSeconds"])]
        if "tailLines" in query:
            lines = lines[max(0, len(lines) - int(query["tailLines"])) :]
        if query.get("timestamps") == "true":
            text = "".join(f"{rfc3339_nano(at)} {line}\n" for at, line in lines)
        else:
            text = "".join(f"{line}\n" for _, line in lines)
        body = text.encode()
        return body[: int(query["limitBytes"])] if "limitBytes" in query else body

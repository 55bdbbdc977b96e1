"""A description's templates as Prometheus fills them in."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TEMPLATE = re.compile(r"\{\{ (.*?) \}\}")
_LABEL = re.compile(r"\$labels\.(\w+)")
_PRINTED = re.compile(r'printf "%\.(\d)g" \$value')


def expanded(text: str, labels: Mapping[str, str], value: float) -> str:
    """The text with the labels and the value in it. Raises ValueError for a template that is not ours."""
    return _TEMPLATE.sub(lambda found: _filled(found[1], labels, value), text)


def _filled(template: str, labels: Mapping[str, str], value: float) -> str:
    label = _LABEL.fullmatch(template)
    if label:
        return labels.get(label[1], "")
    printed = _PRINTED.fullmatch(template)
    if printed:
        return f"{value:.{printed[1]}g}"
    forms = {"$value": f"{value:g}", "$value | humanizePercentage": f"{value * 100:.4g}%"}
    if template == "$value | humanizeDuration":
        return _duration(value)
    if template not in forms:
        raise ValueError(f"an unknown template: {template}")
    return forms[template]


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.4g}ms" if seconds else "0s"
    if seconds < 60:
        return f"{seconds:.4g}s"
    whole = int(seconds)
    parts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count}{unit}" for count, unit in parts[first:])

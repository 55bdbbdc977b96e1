"""What the document is made of: the types of its values, and the base of its mappings."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from rollguard.policy import checks

Duration = Annotated[
    float,
    BeforeValidator(checks.duration),
    WithJsonSchema({"type": "string", "description": "a duration with a unit", "examples": ["15s", "5m", "1h30m"]}),
]
_CLOCK = WithJsonSchema({"type": "string", "description": "a time of the day", "examples": ["22:00", "06:30"]})
ClockTime = Annotated[int, BeforeValidator(checks.clock_time), _CLOCK]
EndTime = Annotated[int, BeforeValidator(checks.end_time), _CLOCK]
Name = Annotated[str, AfterValidator(checks.dns_name)]
Namespace = Annotated[str, AfterValidator(checks.dns_label)]
SignalName = Annotated[str, AfterValidator(checks.signal_name)]
LabelName = Annotated[str, AfterValidator(checks.label_name)]
Url = Annotated[str, AfterValidator(checks.url)]
SecuredUrl = Annotated[str, AfterValidator(checks.secured_url)]
File = Annotated[str, AfterValidator(checks.file_name)]
Selector = Annotated[str, AfterValidator(checks.selector)]
Expression = Annotated[str, AfterValidator(checks.expression)]
Matchers = Annotated[str, AfterValidator(checks.matchers)]
LabelKey = Annotated[str, AfterValidator(checks.label_key)]
ServiceName = Annotated[str, AfterValidator(checks.service_name)]
Pattern = Annotated[str, AfterValidator(checks.name_pattern)]
SlackChannel = Annotated[
    str,
    BeforeValidator(checks.slack_channel),
    WithJsonSchema({"type": "string", "description": "a Slack channel", "examples": ["#deployments"]}),
]
MailAddress = Annotated[str, AfterValidator(checks.mail_address)]
TeamName = Annotated[str, AfterValidator(checks.line)]
Host = Annotated[str, AfterValidator(checks.host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Part(BaseModel):
    """Every mapping of the document: unknown keys are mistakes, nothing is converted."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, alias_generator=to_camel, use_attribute_docstrings=True
    )

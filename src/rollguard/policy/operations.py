"""`spec.contacts`, `spec.retention` and `spec.runbooks`: what only the rendered pages and stores use."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from rollguard.model.operations import Contact, Database, Operations, Place, Retention, Runbooks
from rollguard.policy import checks, durations
from rollguard.policy.part import Duration, LabelKey, Name, Part, Url
from rollguard.policy.yaml_text import Marked

Line = Annotated[str, AfterValidator(checks.line)]
Identifier = Annotated[str, AfterValidator(checks.identifier)]
LEAST_REAL_TIME = 40 * 3600.0
LEAST_AGGREGATED = 10 * 86400.0
"""Blocks are thinned out when they are so old; what goes earlier never is."""


class ContactPart(Part):
    """Whom to reach."""

    who: Line
    """Who: `On-call engineer`."""
    reach: Line
    """How: a channel, an address, a rota."""
    about: Line | None = None
    """What for."""


class RetentionPart(Part):
    """How long metrics are kept, by how fine they are."""

    real_time: Duration = Retention().real_time
    """As they were scraped; at least 1d16h, for then they are thinned out."""
    aggregated: Duration = Retention().aggregated
    """A sample in five minutes; at least 10d."""
    long_term: Duration = Retention().long_term
    """A sample in an hour."""


class DatabasePart(Part):
    """A PostgreSQL database."""

    name: Identifier
    """Its name."""
    pod: Name
    """The pod in which `psql` is run, in the first watched namespace."""
    user: Identifier = "postgres"
    """As whom."""
    variable: Identifier = "DATABASE_URL"
    """The environment variable of the workloads' pods that has its address."""


class PlacePart(Part):
    """Where else to look."""

    name: Line
    """What it is called."""
    url: Url
    """Where it is."""


class RunbooksPart(Part):
    """What runbooks and guides need to know beyond what is guarded."""

    pod_label: LabelKey | None = None
    """The label of pods whose value is the name of the member or workload, for `kubectl logs -l app=backend`."""
    databases: Annotated[list[DatabasePart] | None, Field(max_length=16)] = None
    """The PostgreSQL databases."""
    caches: Annotated[list[Name] | None, Field(max_length=16)] = None
    """The hosts of Redis, as the pods reach them."""
    tools: Annotated[list[PlacePart] | None, Field(max_length=32)] = None
    """Other places to look at, such as a tracker of errors."""
    probes: Annotated[list[Url] | None, Field(max_length=32)] = None
    """Addresses that answer with success while the system is well."""
    smoke: Line | None = None
    """The command that tests the critical paths."""


def check_retention(part: RetentionPart, marked: Marked) -> None:
    """Notes durations after which nothing coarser would be there."""
    path = ("spec", "retention")
    thinned = "the age at which metrics are thinned out further"
    steps = (
        ("realTime", part.real_time, LEAST_REAL_TIME, thinned),
        ("aggregated", part.aggregated, *max((part.real_time, "`realTime`"), (LEAST_AGGREGATED, thinned))),
        ("longTerm", part.long_term, part.aggregated, "`aggregated`"),
    )
    for key, seconds, least, words in steps:
        if seconds < least and (*path, key) not in marked.dropped:
            expected = f"`{key}` of at least {words} ({durations.format_(least)})"
            marked.wrong((*path, key), durations.format_(seconds), expected)


def operations_of(contacts: list[ContactPart], retention: RetentionPart, runbooks: RunbooksPart) -> Operations:
    """What the parts say."""
    return Operations(
        contacts=tuple(Contact(who=each.who, reach=each.reach, about=each.about or "") for each in contacts),
        retention=Retention(
            real_time=retention.real_time, aggregated=retention.aggregated, long_term=retention.long_term
        ),
        runbooks=Runbooks(
            pod_label=runbooks.pod_label or "",
            databases=tuple(
                Database(name=each.name, pod=each.pod, user=each.user, variable=each.variable)
                for each in runbooks.databases or ()
            ),
            caches=tuple(runbooks.caches or ()),
            tools=tuple(Place(name=each.name, url=each.url) for each in runbooks.tools or ()),
            probes=tuple(runbooks.probes or ()),
            smoke=runbooks.smoke or "",
        ),
    )

"""What a policy says for people and for the stores around the guard. The guard's loop uses none of it: it is for
what is rendered from the policy."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to reach in trouble, and how."""

    who: str
    reach: str
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long metrics are kept at least, in seconds, from the finest to the coarsest."""

    real_time: float = 15 * 86400.0
    """As they were scraped."""
    aggregated: float = 90 * 86400.0
    """A sample in five minutes."""
    long_term: float = 365 * 86400.0
    """A sample in an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A PostgreSQL database, as the runbooks' commands reach it."""

    name: str
    pod: str
    """The pod in which `psql` is run."""
    user: str
    variable: str
    """The environment variable of the workloads' pods that has its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where else to look: a name and an address."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbooks:
    """What the rendered runbooks and guides need to know beyond what is guarded."""

    pod_label: str = ""
    """The label of pods whose value is the member's or the workload's name; empty where they carry none."""
    databases: tuple[Database, ...] = ()
    caches: tuple[str, ...] = ()
    """Hosts of Redis."""
    tools: tuple[Place, ...] = ()
    probes: tuple[str, ...] = ()
    """Addresses that answer with success while the system is well."""
    smoke: str = ""
    """The command that tests the critical paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """All of it."""

    contacts: tuple[Contact, ...] = ()
    retention: Retention = field(default_factory=Retention)
    runbooks: Runbooks = field(default_factory=Runbooks)

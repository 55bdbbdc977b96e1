"""The stand-in for a PostgreSQL exporter: connections in use and their maximum, of one database a namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.exposition import Family

NAME = "dubbing_prod"
NAMESPACE = "production"
_FIELDS = ("namespace", "backends", "max_connections")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What one database's exporter would say."""

    backends: int = 20
    max_connections: int = 100


class Databases:
    """The databases by their namespace; at first the platform's alone.

    Settings come by `POST /lab/database {"namespace": "production", "backends": 95, "max_connections": 100}`; a
    namespace that is new gets a database.
    """

    def __init__(self) -> None:
        self._databases = {NAMESPACE: Database()}

    def set(self, document: Mapping[str, Any]) -> dict[str, int]:
        """Takes the numbers over and returns those in force. Raises ValueError for anything else."""
        unknown = sorted(set(document) - {*_FIELDS})
        if unknown:
            raise ValueError(f"unknown field {', '.join(unknown)}; known: {', '.join(_FIELDS)}")
        namespace = str(document.get("namespace", NAMESPACE))
        before = self._databases.get(namespace, Database())
        backends = int(document.get("backends", before.backends))
        max_connections = int(document.get("max_connections", before.max_connections))
        if backends < 0 or max_connections < 1:
            raise ValueError("backends must be 0 or more, max_connections 1 or more")
        self._databases[namespace] = Database(backends=backends, max_connections=max_connections)
        return {"backends": backends, "max_connections": max_connections}

    def families(self) -> Iterable[Family]:
        """`namespace` is the label that a scrape of an exporter in the cluster would carry."""
        backends = Family("pg_stat_database_numbackends", "gauge", "Number of backends connected to this database.")
        limit = Family("pg_settings_max_connections", "gauge", "The maximum number of concurrent connections.")
        up = Family("pg_up", "gauge", "Whether the last scrape could connect to the server.")
        for namespace, database in sorted(self._databases.items()):
            backends.add(database.backends, namespace=namespace, datid="16384", datname=NAME)
            limit.add(database.max_connections, namespace=namespace, server=f"postgres.{namespace}:5432")
            up.add(1, namespace=namespace)
        return backends, limit, up

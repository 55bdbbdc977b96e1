"""The stand-in for a PostgreSQL exporter: connections in use and their maximum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab.exposition import Family


class Database:
    """Settings come by `POST /lab/database {"backends": 95, "max_connections": 100}`."""

    def __init__(self, name: str = "dubbing_prod", backends: int = 20, max_connections: int = 100) -> None:
        self._name = name
        self._backends = backends
        self._max_connections = max_connections

    def set(self, document: Mapping[str, Any]) -> dict[str, int]:
        """Takes the numbers over and returns those in force. Raises ValueError for anything else."""
        unknown = sorted(set(document) - {"backends", "max_connections"})
        if unknown:
            raise ValueError(f"unknown field {', '.join(unknown)}; known: backends, max_connections")
        backends = int(document.get("backends", self._backends))
        max_connections = int(document.get("max_connections", self._max_connections))
        if backends < 0 or max_connections < 1:
            raise ValueError("backends must be 0 or more, max_connections 1 or more")
        self._backends, self._max_connections = backends, max_connections
        return {"backends": backends, "max_connections": max_connections}

    def families(self) -> Iterable[Family]:
        backends = Family("pg_stat_database_numbackends", "gauge", "Number of backends connected to this database.")
        backends.add(self._backends, datid="16384", datname=self._name)
        limit = Family("pg_settings_max_connections", "gauge", "The maximum number of concurrent connections.")
        limit.add(self._max_connections)
        up = Family("pg_up", "gauge", "Whether the last scrape could connect to the server.")
        up.add(1)
        return backends, limit, up

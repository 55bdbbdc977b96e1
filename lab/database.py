"""A real PostgreSQL on loopback, of the programs that the machine has."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from lab.processes import Child, dying_with_parent, free_port, start

UNPRIVILEGED = "nobody"
"""PostgreSQL does not run as root."""
PASSWORD = "pa55-phrase-of-the-journal"


@dataclass(slots=True, kw_only=True)
class Database:
    """One server; a test gets a database of its own."""

    port: int
    directory: Path
    child: Child
    password: str = PASSWORD
    made: int = 0

    def dsn(self, name: str = "postgres", user: str = "owner", password: str = "") -> str:
        """How to reach the database of that name; by default with the owner's own password."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{name}"

    async def fresh(self, encoding: str = "UTF8") -> str:
        """How to reach a new, empty database."""
        self.made += 1
        name = f"journal_{self.made}"
        async with await psycopg.AsyncConnection.connect(self.dsn(), autocommit=True) as connection:
            await connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0".encode())
        return self.dsn(name)

    async def stop(self) -> None:
        """As a server that fails."""
        await self.child.kill()

    async def begin(self) -> None:
        """Starts it (again) at its port."""
        self.child = await _started(self.directory, self.port)


def _program(name: str) -> Path:
    """Its path. Raises FileNotFoundError, saying what to do."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, folders)]))
    if found is None:
        raise FileNotFoundError(f"{name} is missing: `apt-get install postgresql` brings it")
    return Path(found)


def _as_unprivileged(command: list[str]) -> list[str]:
    if os.geteuid() != 0:
        return command
    who = ["--reuid", UNPRIVILEGED, "--clear-groups", "--regid", "nogroup"]
    return [*dying_with_parent([])[:3], *who, *command]


async def _started(directory: Path, port: int) -> Child:
    (directory / "data" / "postmaster.pid").unlink(missing_ok=True)
    command = [
        *(str(_program("postgres")), "-D", str(directory / "data"), "-h", "127.0.0.1", "-p", str(port)),
        *("-k", str(directory), "-c", "fsync=off"),
    ]
    child = start("postgres", _as_unprivileged(command), log=directory / "log")

    async def ready() -> bool:
        return "ready to accept connections" in child.output()

    await child.until(ready, what="its connections")
    return child


@asynccontextmanager
async def running(password: str = PASSWORD) -> AsyncIterator[Database]:
    """A server until the end, with a superuser called `owner`."""
    with tempfile.TemporaryDirectory(prefix="rollguard-postgres-") as place:
        directory = Path(place)
        file = directory / "password"
        file.write_text(password)
        if os.geteuid() == 0:
            for path in (directory, file):
                shutil.chown(path, UNPRIVILEGED)
        make = [
            *(str(_program("initdb")), "-D", str(directory / "data"), "-U", "owner", "--pwfile", str(file)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        ]
        await asyncio.to_thread(subprocess.run, _as_unprivileged(make), check=True, capture_output=True)
        port = free_port()
        child = await _started(directory, port)
        database = Database(port=port, directory=directory, child=child, password=password)
        try:
            yield database
        finally:
            await database.stop()

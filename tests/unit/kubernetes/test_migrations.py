"""Which Jobs and pods migrate the database, how they ended, and what is remembered of those that are gone."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import KubernetesCluster
from rollguard.adapters.kubernetes.connection.api import Api
from rollguard.adapters.kubernetes.connection.kubeconfig import Connection
from rollguard.adapters.kubernetes.objects import facts, wire
from rollguard.adapters.kubernetes.objects.template import template_of
from rollguard.adapters.kubernetes.watching.migrations import Migrations
from rollguard.model.facts import MigrationRun
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.time import Instant
from tests.unit.kubernetes.server import Conversation, Server, serving, until

CLOCK = SystemClock()
UNIT = UnitName.of_workload(WorkloadName("n", WorkloadKind.DEPLOYMENT, "api"))
NOW = Instant.parse("2026-11-03T02:10:00Z")
ENDED = "2026-11-03T02:05:00Z"
MARK = {"rollguard.dev/backward-compatible": "true"}


def runs() -> Migrations:
    return Migrations(("prisma-migrate-*", "flyway"), lambda: NOW)


def raw(document: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(document))


def job(
    name: str = "prisma-migrate-abc",
    condition: str = "",
    *,
    suspend: bool = False,
    started: bool = True,
    annotations: dict[str, str] | None = None,
    uid: str = "u",
) -> MigrationRun | None:
    status: dict[str, Any] = {"startTime": "2026-11-03T02:04:00Z"} if started else {}
    if condition:
        status["conditions"] = [{"type": condition, "status": "True", "lastTransitionTime": ENDED}]
    if condition == "Complete":
        status["completionTime"] = ENDED
    meta: dict[str, Any] = {"name": name, "namespace": "n", "uid": uid, "creationTimestamp": "2026-11-03T02:03:59Z"}
    meta |= {"annotations": annotations} if annotations else {}
    return runs().job(raw({"metadata": meta, "spec": {"suspend": suspend}, "status": status}))


def pod(phase: str, *states: dict[str, Any], restarts: int = 0, **meta: Any) -> MigrationRun | None:
    boxes = [{"name": f"c{n}", "state": state, "restartCount": restarts} for n, state in enumerate(states)]
    head = {"name": "prisma-migrate-abc", "namespace": "n", "uid": "p", "creationTimestamp": "2026-11-03T02:04:00Z"}
    return runs().pod(raw({"metadata": head | meta, "status": {"phase": phase, "containerStatuses": boxes}}))


def ended(code: int) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "finishedAt": ENDED}}


@pytest.mark.parametrize(
    ("condition", "finished", "failed"),
    [("", None, False), ("Complete", ENDED, False), ("Failed", ENDED, True), ("Suspended", None, False)],
)
def test_a_job_has_ended_once_its_condition_says_so(condition: str, finished: str | None, failed: bool) -> None:
    run = job(condition=condition)
    assert run is not None
    assert (run.kind, run.started) == ("Job", Instant.parse("2026-11-03T02:04:00Z"))
    assert run.finished == (Instant.parse(finished) if finished else None)
    assert (run.failed, run.backward_compatible) == (failed, False)


def test_only_names_of_a_pattern_are_migrations() -> None:
    assert job("flyway") is not None
    assert job("flyway-2") is None
    assert job("send-mails") is None
    assert pod("Succeeded", ended(0), name="debug") is None


def test_the_mark_is_an_annotation_with_the_value_true() -> None:
    marked, unmarked = job(annotations=MARK), job(annotations={**MARK, "rollguard.dev/backward-compatible": "yes"})
    assert marked is not None
    assert marked.backward_compatible
    assert unmarked is not None
    assert not unmarked.backward_compatible
    bare = pod("Running", annotations=MARK)
    assert bare is not None
    assert bare.backward_compatible


def test_a_suspended_job_that_never_began_is_none() -> None:
    assert job(suspend=True, started=False) is None
    assert job(suspend=True) is not None


def test_a_pod_of_a_job_counts_through_its_job() -> None:
    assert pod("Succeeded", ended(0), ownerReferences=[{"kind": "Job", "name": "x", "controller": True}]) is None


@pytest.mark.parametrize(
    ("phase", "states", "restarts", "finished", "failed"),
    [
        ("Pending", (), 0, False, False),
        ("Running", ({"running": {}},), 0, False, False),
        ("Succeeded", (ended(0),), 0, True, False),
        ("Failed", (ended(1),), 0, True, True),
        ("Running", ({"waiting": {"reason": "CrashLoopBackOff"}},), 1, False, False),
        ("Running", (ended(1),), 1, False, False),
        ("Running", (ended(1),), 2, True, True),
        ("Running", (ended(0),), 2, True, False),
        ("Running", (ended(0), {"running": {}}), 0, False, False),
    ],
)
def test_a_bare_pod_has_ended_by_its_phase_or_where_it_is_restarted_for_ever(
    phase: str, states: tuple[dict[str, Any], ...], restarts: int, finished: bool, failed: bool
) -> None:
    run = pod(phase, *states, restarts=restarts)
    assert run is not None
    assert (run.finished is not None, run.failed) == (finished, failed)


def test_a_run_that_is_deleted_is_remembered_as_it_ended() -> None:
    known, running = runs(), job()
    known.changed("n", None, running)
    known.changed("n", running, job(condition="Complete"))
    known.changed("n", job(condition="Complete"), None)
    assert [run.finished for run in known.of("n")] == [Instant.parse(ENDED)]
    assert not known.of("other")


def test_one_that_is_deleted_while_it_runs_has_ended_then() -> None:
    known = runs()
    known.changed("n", None, job())
    known.changed("n", job(), None)
    assert [run.finished for run in known.of("n")] == [NOW]


def test_another_run_of_the_same_name_does_not_hide_the_first() -> None:
    known = runs()
    known.changed("n", None, job())
    known.changed("n", job(), job(uid="second"))
    assert [(run.uid, run.finished) for run in known.of("n")] == [("u", NOW), ("second", None)]


def test_other_names_keep_what_is_known_of_those_that_stay() -> None:
    known = runs()
    for n, name in enumerate(("prisma-migrate-1", "flyway", "prisma-migrate-2")):
        known.changed("n", None, job(name=name, uid=str(n)))
    known.changed("n", job(name="prisma-migrate-1", uid="0"), None)
    known.look_for(("prisma-*",))
    assert [run.name for run in known.of("n")] == ["prisma-migrate-1", "prisma-migrate-2"]
    known.changed("n", None, job(name="flyway", uid="3"))
    known.changed("n", job(name="flyway", uid="1"), None)
    assert len(known.of("n")) == 2, "what is no migration any more is not remembered as one when it goes"


def test_of_copies_that_begin_anew_what_is_not_there_again_was_deleted_meanwhile() -> None:
    known = runs()
    for uid in ("stays", "goes"):
        known.changed("n", None, job(uid=uid))
    known.listed_afresh("n")
    known.changed("n", None, job(uid="stays"))
    assert sorted((run.uid, run.finished is None) for run in known.of("n")) == [("goes", False), ("stays", True)]


def watched_job(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "n", "uid": name, "resourceVersion": "8", "creationTimestamp": ENDED}
    return {"metadata": meta, "spec": {}, "status": {"startTime": ENDED}}


@asynccontextmanager
async def a_job_ran_and_was_deleted() -> AsyncIterator[tuple[KubernetesCluster, Server]]:
    """In a watched namespace, under the names `prisma-*` and `flyway`."""

    async def script(on: Conversation) -> None:
        if "watch" not in on.asked.query:
            await on.answer({"metadata": {"resourceVersion": "7"}, "items": []})
            return
        await on.stream()
        if on.asked.path.endswith("/jobs") and not told.is_set():
            told.set()
            await on.event("ADDED", watched_job("prisma-1"))
            await on.event("DELETED", watched_job("prisma-1"))
        await asyncio.sleep(60)

    told = asyncio.Event()
    async with serving(script) as server:
        api = Api(Connection(server=server.url, tls=ssl.create_default_context(), namespace="n"), CLOCK)
        async with KubernetesCluster(api, CLOCK, random.Random(1), namespaces=("n",)) as cluster:
            cluster.look_for(("flyway", "prisma-*"), secrets=False)
            cluster.guard(frozenset({UNIT}))
            await until(lambda: cluster.facts(UNIT).complete and bool(cluster.facts(UNIT).migrations))
            yield cluster, server
        await api.close()


async def test_fewer_names_of_migrations_list_nothing_afresh_and_nothing_was_missed() -> None:
    async with a_job_ran_and_was_deleted() as (cluster, server):
        before, asked = cluster.facts(UNIT), len(server.asked)
        cluster.look_for(("prisma-*",), secrets=False)
        after = cluster.facts(UNIT)
        assert after.complete
        assert [run.name for run in after.migrations] == ["prisma-1"]
        assert after.migrations_from == before.migrations_from is not None
        assert len(server.asked) == asked
        cluster.look_for((), secrets=False)
        assert not cluster.facts(UNIT).migrations


async def test_another_name_among_the_migrations_forgets_none_that_ran_and_says_since_when_it_is_looked_for() -> None:
    async with a_job_ran_and_was_deleted() as (cluster, _):
        before = cluster.facts(UNIT).migrations_from
        cluster.look_for(("alembic-*", "prisma-*"), secrets=False)
        assert not cluster.facts(UNIT).complete
        await until(lambda: cluster.facts(UNIT).complete)
        after = cluster.facts(UNIT)
        assert [run.name for run in after.migrations] == ["prisma-1"]
        assert before is not None and after.migrations_from is not None
        assert after.migrations_from > before


def test_what_is_remembered_is_bounded_and_goes_with_the_namespace() -> None:
    known = runs()
    for n in range(100):
        known.changed("n", job(uid=str(n)), None)
    assert len(known.of("n")) == 64
    known.forget("n")
    assert not known.of("n")


def test_native_sidecars_and_what_runs_are_told_apart() -> None:
    template = template_of(
        msgspec.json.encode(
            {
                "spec": {
                    "initContainers": [
                        {"name": "prepare", "image": "a"},
                        {"name": "proxy", "image": "b", "restartPolicy": "Always"},
                    ],
                    "containers": [{"name": "app", "image": "c"}],
                }
            }
        )
    )
    assert template.sidecars == ("proxy",)
    status = {
        "initContainerStatuses": [
            {"name": "prepare", "state": ended(0)},
            {"name": "proxy", "state": {"running": {"startedAt": ENDED}}},
            {"name": "mesh", "state": {"running": {}}},
        ],
        "containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "PodInitializing"}}}],
    }
    found = msgspec.json.decode(msgspec.json.encode({"metadata": {"name": "p"}, "status": status}), type=wire.Pod)
    seen = facts.pod(found, WorkloadName("n", WorkloadKind.DEPLOYMENT, "w"), None, template)
    assert [(c.name, c.in_template, c.init, c.sidecar, c.running) for c in seen.containers] == [
        ("prepare", True, True, False, False),
        ("proxy", True, True, True, True),
        ("mesh", False, True, False, True),
        ("app", True, False, False, False),
    ]

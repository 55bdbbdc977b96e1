"""The cluster as a command sees it: which kubeconfig and context, which namespaces, who asks."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, ConfigError, InstallError, KubernetesRecords, NoAnswer, load, read_holder
from rollguard.adapters.kubernetes.store.orders import KubernetesOrders
from rollguard.cli import exits, output
from rollguard.model.action import Absent, Applied, Conflict, Rejected, Throttled, Unknown, WriteOutcome
from rollguard.model.names import UnitName
from rollguard.ports import Clock, Orders, Records

GUARD_NAMESPACE = "monitoring"


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Which cluster, and which part of it."""

    kubeconfig: Path | None = None
    """The kubeconfig; else $KUBECONFIG, the pod's own account, ~/.kube/config."""
    context: str | None = None
    """A context of the kubeconfig."""
    namespace: Annotated[str, Parameter(name=["-n", "--namespace"])] = ""
    """Only this namespace (default: the one that the context names, all where it names none)."""
    all_namespaces: Annotated[bool, Parameter(name=["-A", "--all-namespaces"])] = False
    """All namespaces, also where the context names one."""
    guard_namespace: str = GUARD_NAMESPACE
    """Where the guard itself runs."""

    def within(self, namespace: str) -> Connection:
        """The same, in that namespace alone: a person need not have rights in any other."""
        return replace(self, namespace=namespace, all_namespaces=False)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The way to a cluster."""

    kubeconfig: Path | None = None
    """The kubeconfig; else $KUBECONFIG, the pod's own account, ~/.kube/config."""
    context: str | None = None
    """A context of the kubeconfig."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An open connection with the ports that commands use."""

    api: Api
    records: Records
    orders: Orders
    clock: Clock
    namespace: str
    """The only one that is looked at; empty where all are."""
    home: str
    """Where a name without a namespace is looked for."""
    guard_namespace: str

    def shows(self, namespace: str) -> bool:
        """Whether things of that namespace were asked for."""
        return self.namespace in ("", namespace)

    async def actor(self) -> str:
        """Our user name as the API server knows it; ends the command where it does not say."""
        name = await self.orders.whoami()
        if isinstance(name, Unknown):
            raise exits.CommandError(f"the cluster does not say who asks: {name.detail}", exits.UNREACHABLE)
        return name

    async def leader(self) -> str:
        """One line on which controller leads, for people."""
        holder = await read_holder(self.api, namespace=self.guard_namespace)
        if isinstance(holder, Unknown):
            return f"the Lease in {self.guard_namespace} cannot be read: {holder.detail}"
        if not holder:
            return f"No controller leads (no Lease is held in {self.guard_namespace}): nothing is being guarded."
        return f"Controller: {holder}"


@asynccontextmanager
async def opened(way: Way, clock: Clock) -> AsyncIterator[Api]:
    """A client of the cluster; ends the command with what to do where there is no way to it."""
    try:
        where = load(way.kubeconfig, way.context)
    except ConfigError as problem:
        raise exits.CommandError(str(problem), exits.USAGE) from None
    api = Api(where, clock)
    try:
        yield api
    finally:
        await api.close()


@asynccontextmanager
async def session(connection: Connection, among: tuple[str, ...] = ()) -> AsyncIterator[Session]:
    """Opens the connection, to look at the namespaces `among` alone where there are some; ends the command with what to
    do where it cannot be set up."""
    clock = SystemClock()
    async with opened(Way(kubeconfig=connection.kubeconfig, context=connection.context), clock) as api:
        chosen = api.namespace if api.namespace_chosen else ""
        namespace = "" if connection.all_namespaces or among else connection.namespace or chosen
        yield Session(
            api=api,
            records=KubernetesRecords(
                api,
                clock,
                random.Random(),  # noqa: S311 (jitter)
                namespaces=among or ((namespace,) if namespace else ()),
                on_unreadable=lambda detail: output.note(f"! passed over: {detail}"),
            ),
            orders=KubernetesOrders(api, clock),
            clock=clock,
            namespace=namespace,
            home=connection.namespace or api.namespace,
            guard_namespace=connection.guard_namespace,
        )


async def refusals_told(work: Awaitable[int]) -> int:
    """The result of an installation's work; ends the command with the server's words where it refused."""
    try:
        return await work
    except InstallError as problem:
        raise exits.CommandError(str(problem)) from None
    except NoAnswer as problem:
        raise exits.CommandError(f"the cluster did not answer: {problem}", exits.UNREACHABLE) from None


def unanswered(answer: Unknown) -> exits.CommandError:
    """What to say where records could not be read: that nothing is installed, or that no answer came."""
    if answer.unserved:
        text = (
            "Rollguard is not installed in this cluster: it has no definitions of GuardedUnits and GuardedRollouts;"
            " `rollguard init` writes a first policy, `rollguard install --policy policy.yaml --apply` installs it"
        )
        return exits.CommandError(text)
    return exits.CommandError(f"the cluster did not answer: {answer.detail}", exits.UNREACHABLE)


SERVICE_ACCOUNT = "system:serviceaccount:"


def recorded(reason: str, actor: str) -> str:
    """The reason as it is recorded: behind a ServiceAccount (a Job, `kubectl exec`) the person is not known."""
    if not actor.startswith(SERVICE_ACCOUNT):
        return reason
    account = actor.removeprefix(SERVICE_ACCOUNT).replace(":", "/", 1)
    return f"{reason} (through ServiceAccount {account}; see the API audit log)".strip()


def why_not(outcome: WriteOutcome) -> str:
    """Why a write was not made, or is not known to have been, in words; empty where it took effect."""
    match outcome:
        case Applied():
            return ""
        case Absent():
            return "it does not exist"
        case Rejected(detail=detail):
            return f"the API server refused: {detail}"
        case Conflict(detail=detail):
            return f"somebody changed it at the same time ({detail})"
        case Throttled(after=after):
            return f"the API server is busy, try again in {after:.0f} s"
        case Unknown(detail=detail):
            return f"no answer, it may or may not be done ({detail})"


def written(outcome: WriteOutcome, unit: UnitName) -> None:
    """Returns where the write took effect; ends the command with the reason where it did not."""
    match outcome:
        case Applied():
            return
        case Absent():
            raise exits.CommandError(f"{unit} is not guarded (any more); `rollguard status` lists what is")
        case Rejected(detail=detail):
            raise exits.CommandError(f"the API server refused: {detail}")
        case Conflict(detail=detail):
            raise exits.CommandError(f"not done, the object kept changing; try again ({detail})")
        case Throttled(after=after):
            raise exits.CommandError(f"the API server is busy; try again in {after:.0f} s", exits.UNREACHABLE)
        case Unknown(detail=detail):
            raise exits.CommandError(
                f"no answer, it may or may not be done; look with `rollguard status` ({detail})", exits.UNREACHABLE
            )

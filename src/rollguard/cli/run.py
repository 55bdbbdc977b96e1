"""`rollguard run`: the controller. Wires the loop to the real world and serves its health."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from starlette.applications import Starlette

from rollguard.adapters.channels import PolicyChannels
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import (
    Api,
    ConfigError,
    KubernetesCluster,
    KubernetesKeptPolicies,
    KubernetesLeadership,
    KubernetesPolicy,
    KubernetesRecords,
    load,
)
from rollguard.adapters.kubernetes.connection.api import Lane
from rollguard.adapters.kubernetes.connection.callers import Callers
from rollguard.adapters.log import LogNotifier, StructuredLog
from rollguard.adapters.policy_file import PolicyFile
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.adapters.secrets import Secrets
from rollguard.cli import exits, journal, serve
from rollguard.cli.alerts_in import AlertFlags, Receiver, Takes
from rollguard.cli.connect import GUARD_NAMESPACE
from rollguard.cli.examination import Examiner
from rollguard.cli.exposition import exposition
from rollguard.cli.starting import first, refused
from rollguard.doctor.facts import Place
from rollguard.loop import Guard, Intake, Settings
from rollguard.model.action import Unknown
from rollguard.model.channels import SecretKey
from rollguard.model.policy import Policy
from rollguard.ports import Journal, KeptPolicies, PolicySource
from rollguard.render.deployment import SECRETS_PATH

LISTEN = "127.0.0.1:9095"
READ_WITHIN_S = 30.0
LOOKS_MISSED = 10
"""Ticks without a look at the workloads after which a leader says that it is not ready."""
SHORTEST_LEASE = 3.0
"""Seconds: a shorter one leaves a request no time to be answered in."""


def run(
    *,
    policy: Path | None = None,
    policy_object: str = "",
    kubeconfig: Path | None = None,
    context: str | None = None,
    guard_namespace: str = "",
    listen: str = LISTEN,
    probes: str = "",
    metrics: str = "",
    alerts: AlertFlags | None = None,
    lease_seconds: float = 15.0,
    secrets_directory: Annotated[Path, Parameter(name="--secrets")] = Path(SECRETS_PATH),
    log: Annotated[str, Parameter(help="json, or text for people")] = "json",
) -> int:
    """Run the controller: guard the policy's workloads until SIGTERM or Ctrl-C.

    Parameters
    ----------
    policy
        The policy file; it is read again when it changes. A policy with mistakes never starts: the one that was in
        force last counts until it is mended, where the cluster has one.
    policy_object
        NAMESPACE/NAME of a GuardPolicy in the cluster, instead of a file; it is watched.
    kubeconfig
        The kubeconfig; else $KUBECONFIG, the pod's own account, ~/.kube/config.
    context
        A context of the kubeconfig.
    guard_namespace
        Where the Lease and the freeze of everything live; else $POD_NAMESPACE, else monitoring.
    listen
        IP:PORT of /healthz, /readyz and /metrics; loopback only.
    probes
        IP:PORT of /healthz and /readyz alone, for the kubelet; any address.
    metrics
        IP:PORT of /metrics for callers whose token the API server knows, and allows to get /metrics; any address.
    lease_seconds
        How long a Lease lasts that is not renewed.
    secrets_directory
        The folder where the Secret for notices is mounted; its keys are read at each use.
    """
    if log not in ("json", "text"):
        raise exits.CommandError(f"--log {log!r}: expected json or text", exits.USAGE)
    if not lease_seconds >= SHORTEST_LEASE:  # also what is no number
        raise exits.CommandError(f"--lease-seconds {lease_seconds:g}: expected {SHORTEST_LEASE:g} or more", exits.USAGE)
    takes = alerts.takes() if alerts is not None else None
    wanted = _wanted(policy, policy_object)
    namespace = guard_namespace or os.environ.get("POD_NAMESPACE", "") or GUARD_NAMESPACE
    settings = _settings(namespace, lease_seconds)
    structured = StructuredLog(lines=log == "json", stream=sys.stderr)
    controller = _Controller(wanted, settings, structured, directory=secrets_directory, takes=takes)
    addresses = {_Serves.NEIGHBOURS: serve.address(listen, loopback_only=True)}
    for serves, place in ((_Serves.PROBES, probes), (_Serves.CALLERS, metrics)):
        if place:
            addresses[serves] = serve.address(place, loopback_only=False)
    return asyncio.run(controller.run(kubeconfig, context, lease_seconds, addresses))


def _settings(namespace: str, lease_seconds: float) -> Settings:
    """The defaults fit a Lease of 15 s; a shorter one leaves less time for each request."""
    share = min(1.0, lease_seconds / 15.0)
    plain = Settings(namespace=namespace)
    return replace(
        plain,
        renew_every=plain.renew_every * share,
        request_timeout=plain.request_timeout * share,
        evidence_timeout=plain.evidence_timeout * share,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Where the policy is: a file, else the object NAMESPACE/NAME that `place` names."""

    place: str
    file: PolicyFile | None


def _wanted(policy: Path | None, policy_object: str) -> _Wanted:
    """Ends the command where it is not said."""
    if (policy is None) == (not policy_object):
        raise exits.CommandError("expected either --policy FILE or --policy-object NAMESPACE/NAME", exits.USAGE)
    if policy is not None:
        return _Wanted(place=str(policy), file=PolicyFile(policy, SystemClock()))
    namespace, _, name = policy_object.partition("/")
    if not namespace or not name or "/" in name:
        raise exits.CommandError(f"--policy-object {policy_object!r}: expected NAMESPACE/NAME", exits.USAGE)
    return _Wanted(place=policy_object, file=None)


class _Serves(Enum):
    """To whom an address serves what."""

    NEIGHBOURS = "whoever runs beside it"
    PROBES = "probes"
    CALLERS = "callers with a right to the metrics"


class _Controller:
    def __init__(
        self, wanted: _Wanted, settings: Settings, log: StructuredLog, *, directory: Path, takes: Takes | None
    ) -> None:
        """`directory` is where the Secret for notices is mounted."""
        self._wanted = wanted
        self._settings = settings
        self._directory = directory
        self._secrets = Secrets(directory)
        self._log = log
        self._takes = takes
        self._clock = SystemClock()
        self._channels = PolicyChannels(self._secrets, self._clock, LogNotifier(log))

    async def run(
        self,
        kubeconfig: Path | None,
        context: str | None,
        lease_seconds: float,
        addresses: Mapping[_Serves, tuple[str, int]],
    ) -> int:
        try:
            api = Api(load(kubeconfig, context), self._clock)
        except ConfigError as problem:
            raise exits.CommandError(self._without_cluster(problem), exits.USAGE) from None
        async with AsyncExitStack() as stack:
            stack.push_async_callback(api.close)
            kept = KubernetesKeptPolicies(api, self._clock, namespace=self._settings.namespace)
            source = await self._source(stack, api)
            timeout = self._settings.request_timeout
            policy = await first(self._wanted.place, source, kept, timeout=timeout, log=self._log)
            story = await stack.enter_async_context(journal.opened(policy, self._secrets, self._log))
            guarding = self._guard(api, policy, source, kept, lease_seconds, story=story.journal)
            guard, cluster = await stack.enter_async_context(guarding)
            receiver = self._receiver(api, source, guard)
            health = self._health(guard, cluster, story, receiver)
            if self._takes is not None:
                await self._take_alerts(stack, receiver, self._takes)
            for serves, (host, port) in addresses.items():
                application = self._application(serves, health, api)
                bound = await stack.enter_async_context(serve.serving(application, host, port))
                self._log("listening", {"address": f"{host}:{bound}", "to": serves.value})
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, guard.stop)
            self._log("started", {"policy": policy.name, "digest": policy.digest})
            self._say_channels(policy)
            await guard.run()
        return exits.OK

    def _receiver(self, api: Api, source: PolicySource, guard: Guard) -> Receiver:
        """What takes alerts, whoever leads: by requests of its own, so that a flood of them delays no rollback."""
        records = KubernetesRecords(
            api,
            self._clock,
            random.Random(),  # noqa: S311 (jitter of retries)
            timeout=self._settings.request_timeout,
            lane=Lane.READING,
        )
        verified = self._takes is not None and self._takes.verifies
        intake = Intake(records, lambda: source.latest().policy or guard.policy, self._log)
        read = partial(self._secrets.read, SecretKey.ALERTMANAGER_WEBHOOK_TOKEN)
        return Receiver(intake, read, self._clock, verified=verified)

    async def _take_alerts(self, stack: AsyncExitStack, receiver: Receiver, takes: Takes) -> None:
        host, port = takes.place
        serving = serve.serving(receiver.application(), host, port, tls=takes.tls)
        bound = await stack.enter_async_context(serving)
        self._log("listening", {"address": f"{host}:{bound}", "to": "alerts"})

    def _application(self, serves: _Serves, health: serve.Health, api: Api) -> Starlette:
        match serves:
            case _Serves.NEIGHBOURS:
                return serve.for_neighbours(health)
            case _Serves.PROBES:
                return serve.for_probes(health)
            case _Serves.CALLERS:
                callers = Callers(api, self._clock, path="/metrics")
                return serve.for_callers(health, callers.access, self._log)

    @asynccontextmanager
    async def _guard(
        self,
        api: Api,
        policy: Policy,
        source: PolicySource,
        kept: KeptPolicies,
        lease_seconds: float,
        *,
        story: Journal,
    ) -> AsyncIterator[tuple[Guard, KubernetesCluster]]:
        rng = random.Random()  # noqa: S311 (jitter of retries)
        namespaces = policy.namespaces()
        identity = f"{os.environ.get('HOSTNAME') or socket.gethostname()}_{secrets.token_hex(4)}"
        settings = self._settings
        async with AsyncExitStack() as stack:
            cluster = await stack.enter_async_context(
                KubernetesCluster(
                    api,
                    self._clock,
                    rng,
                    namespaces=namespaces,
                    instance=identity,
                    on_failure=lambda detail: self._log("watch-failed", {"detail": detail}),
                )
            )
            records = await stack.enter_async_context(
                KubernetesRecords(
                    api,
                    self._clock,
                    rng,
                    namespaces=tuple(sorted({*namespaces, settings.namespace})),
                    timeout=settings.request_timeout,
                    on_unreadable=lambda detail: self._log("unreadable-object", {"detail": detail}),
                )
            )
            leadership = KubernetesLeadership(
                api, self._clock, namespace=settings.namespace, identity=identity, duration=lease_seconds
            )
            guard = Guard(
                policy,
                cluster=cluster,
                records=records,
                leadership=leadership,
                metrics=lambda store: PrometheusMetrics(store, self._clock),
                channels=self._channels,
                journal=story,
                clock=self._clock,
                settings=settings,
                log=self._log,
                doctor=self._examiner(api),
                source=source,
                kept=kept,
            )
            yield guard, cluster

    def _say_channels(self, policy: Policy) -> None:
        """Once: by which channels nothing can be sent now. A secret that comes later is taken up at the next notice."""
        for channel, needs in self._channels.lacking(policy).items():
            self._log("channel-not-configured", {"channel": channel, "needs": needs})
        if SecretKey.PAGERDUTY_ROUTING_KEY not in self._secrets.present():
            self._log("alertmanager-cannot-page", {"needs": self._secrets.needed(SecretKey.PAGERDUTY_ROUTING_KEY)})

    def _examiner(self, api: Api) -> Examiner:
        return Examiner(
            api=api,
            clock=self._clock,
            guard_namespace=self._settings.namespace,
            account=None,
            place=Place.GUARD,
            secrets=self._directory,
        )

    def _without_cluster(self, problem: ConfigError) -> str:
        """What ends the command: the mistakes of the file first, for without a cluster no earlier policy is kept."""
        reading = self._wanted.file.latest() if self._wanted.file is not None else None
        if reading is None or reading.policy is not None:
            return str(problem)
        return refused(self._wanted.place, reading.mistakes)

    async def _source(self, stack: AsyncExitStack, api: Api) -> PolicySource:
        """Where the policy and its changes come from; ends the command where the cluster does not say."""
        if self._wanted.file is not None:
            return await stack.enter_async_context(self._wanted.file)
        rng = random.Random()  # noqa: S311 (jitter of retries)
        place = self._wanted.place
        source = await stack.enter_async_context(KubernetesPolicy(api, self._clock, rng, *place.split("/")))
        found = await source.first(timeout=READ_WITHIN_S)
        if isinstance(found, Unknown):
            raise exits.CommandError(f"the policy {place} cannot be read: {found.detail}", exits.UNREACHABLE)
        return source

    def _health(
        self, guard: Guard, cluster: KubernetesCluster, story: journal.OpenJournal, receiver: Receiver
    ) -> serve.Health:
        def alive() -> str:
            return ""  # the event loop answered: a guard whose loop hangs does not

        def ready() -> str:
            status = guard.status()
            if status.leading:
                if not status.active:
                    return "leading, but the records are not loaded yet"
                late = status.since_look > LOOKS_MISSED * status.tick
                return f"no look at the workloads for {status.since_look:.0f} s" if late else ""
            return "" if status.standby else f"not leading: {status.waiting}"

        def metrics() -> str:
            namespace = self._settings.namespace
            watches, alerts = cluster.watch_errors(), receiver.counted()
            return exposition(guard.status(), watches, alerts, namespace=namespace, journal=story.state())

        return serve.Health(
            alive=alive,
            ready=ready,
            exposition=metrics,
        )

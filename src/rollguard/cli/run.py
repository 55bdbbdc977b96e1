"""`rollguard run`: the controller. Wires the loop to the real world and serves its health."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

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
from rollguard.adapters.log import LogJournal, LogNotifier, StructuredLog
from rollguard.adapters.policy_file import PolicyFile
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.adapters.webhook import Webhook
from rollguard.cli import exits, serve
from rollguard.cli.connect import GUARD_NAMESPACE
from rollguard.cli.examination import Examiner
from rollguard.cli.exposition import exposition
from rollguard.cli.policy import read
from rollguard.doctor.facts import Place
from rollguard.loop import Guard, Settings
from rollguard.model.action import Unknown
from rollguard.model.policy import Policy, WebhookChannel
from rollguard.ports import Notifier, PolicySource

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
    lease_seconds: float = 15.0,
    log: Annotated[str, Parameter(help="json, or text for people")] = "json",
) -> int:
    """Run the controller: guard the policy's workloads until SIGTERM or Ctrl-C.

    Parameters
    ----------
    policy
        The policy file; it is read again when it changes. A policy with mistakes never starts.
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
    lease_seconds
        How long a Lease lasts that is not renewed.
    """
    if log not in ("json", "text"):
        raise exits.CommandError(f"--log {log!r}: expected json or text", exits.USAGE)
    if not lease_seconds >= SHORTEST_LEASE:  # also what is no number
        raise exits.CommandError(f"--lease-seconds {lease_seconds:g}: expected {SHORTEST_LEASE:g} or more", exits.USAGE)
    wanted = _wanted(policy, policy_object)
    namespace = guard_namespace or os.environ.get("POD_NAMESPACE", "") or GUARD_NAMESPACE
    settings = _settings(namespace, lease_seconds)
    controller = _Controller(wanted, settings, StructuredLog(lines=log == "json", stream=sys.stderr))
    addresses = [(serve.address(listen, loopback_only=True), True)]
    if probes:
        addresses.append((serve.address(probes, loopback_only=False), False))
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
class _File:
    path: Path
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    namespace: str
    name: str


def _wanted(policy: Path | None, policy_object: str) -> _File | _Object:
    """Where the policy is; ends the command where that is not said, or the file has mistakes."""
    if (policy is None) == (not policy_object):
        raise exits.CommandError("expected either --policy FILE or --policy-object NAMESPACE/NAME", exits.USAGE)
    if policy is not None:
        return _File(path=policy, policy=read(policy))
    namespace, _, name = policy_object.partition("/")
    if not namespace or not name or "/" in name:
        raise exits.CommandError(f"--policy-object {policy_object!r}: expected NAMESPACE/NAME", exits.USAGE)
    return _Object(namespace=namespace, name=name)


class _Controller:
    def __init__(self, wanted: _File | _Object, settings: Settings, log: StructuredLog) -> None:
        self._wanted = wanted
        self._settings = settings
        self._log = log
        self._clock = SystemClock()

    async def run(
        self,
        kubeconfig: Path | None,
        context: str | None,
        lease_seconds: float,
        addresses: list[tuple[tuple[str, int], bool]],
    ) -> int:
        try:
            api = Api(load(kubeconfig, context), self._clock)
        except ConfigError as problem:
            raise exits.CommandError(str(problem), exits.USAGE) from None
        async with AsyncExitStack() as stack:
            stack.push_async_callback(api.close)
            policy, source = await self._source(stack, api)
            guard, cluster = await stack.enter_async_context(self._guard(api, policy, source, lease_seconds))
            health = self._health(guard, cluster)
            for (host, port), metrics in addresses:
                bound = await stack.enter_async_context(serve.serving(serve.app(health, metrics=metrics), host, port))
                self._log("listening", {"address": f"{host}:{bound}", "metrics": "yes" if metrics else "no"})
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, guard.stop)
            self._log("started", {"policy": policy.name, "digest": policy.digest})
            await guard.run()
        return exits.OK

    @asynccontextmanager
    async def _guard(
        self, api: Api, policy: Policy, source: PolicySource, lease_seconds: float
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
                notifiers=self._notifiers,
                journal=LogJournal(self._log),
                clock=self._clock,
                settings=settings,
                log=self._log,
                doctor=Examiner(
                    api=api,
                    clock=self._clock,
                    guard_namespace=settings.namespace,
                    account=None,
                    place=Place.GUARD,
                ),
                source=source,
                kept=KubernetesKeptPolicies(api, namespace=settings.namespace),
            )
            yield guard, cluster

    async def _source(self, stack: AsyncExitStack, api: Api) -> tuple[Policy, PolicySource]:
        """The policy to start with, and where its changes come from; ends the command where it has mistakes."""
        wanted = self._wanted
        if isinstance(wanted, _File):
            return wanted.policy, await stack.enter_async_context(PolicyFile(wanted.path, wanted.policy, self._clock))
        rng = random.Random()  # noqa: S311 (jitter of retries)
        source = await stack.enter_async_context(KubernetesPolicy(api, self._clock, rng, wanted.namespace, wanted.name))
        found = await source.first(timeout=READ_WITHIN_S)
        place = f"{wanted.namespace}/{wanted.name}"
        if isinstance(found, Unknown):
            raise exits.CommandError(f"the policy {place} cannot be read: {found.detail}", exits.UNREACHABLE)
        if found.policy is None:
            raise exits.CommandError(f"the policy {place} has mistakes:\n" + "\n".join(found.mistakes), exits.USAGE)
        return found.policy, source

    def _notifiers(self, channels: tuple[WebhookChannel, ...]) -> tuple[Notifier, ...]:
        return (LogNotifier(self._log), *(Webhook(channel) for channel in channels))

    def _health(self, guard: Guard, cluster: KubernetesCluster) -> serve.Health:
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

        return serve.Health(
            alive=alive, ready=ready, exposition=lambda: exposition(guard.status(), cluster.watch_errors())
        )

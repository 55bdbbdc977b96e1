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
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import (
    Api,
    ConfigError,
    KubernetesCluster,
    KubernetesLeadership,
    KubernetesRecords,
    load,
)
from rollguard.adapters.log import LogJournal, LogNotifier, StructuredLog
from rollguard.adapters.prometheus import PrometheusMetrics
from rollguard.adapters.webhook import Webhook
from rollguard.cli import exits, serve
from rollguard.cli.connect import GUARD_NAMESPACE
from rollguard.cli.examination import Examiner
from rollguard.cli.exposition import exposition
from rollguard.cli.policy import read
from rollguard.doctor.facts import Place
from rollguard.loop import Guard, Settings
from rollguard.model.policy import Policy
from rollguard.ports import Notifier

LISTEN = "127.0.0.1:9095"
SHORTEST_LEASE = 3.0
"""Seconds: a shorter one leaves a request no time to be answered in."""


def run(
    *,
    policy: Path,
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
        The policy file. A policy with mistakes never starts.
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
    loaded = read(policy)
    namespace = guard_namespace or os.environ.get("POD_NAMESPACE", "") or GUARD_NAMESPACE
    settings = _settings(namespace, lease_seconds)
    controller = _Controller(loaded, settings, StructuredLog(lines=log == "json", stream=sys.stderr))
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


class _Controller:
    def __init__(self, policy: Policy, settings: Settings, log: StructuredLog) -> None:
        self._policy = policy
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
            guard, cluster = await stack.enter_async_context(self._guard(api, lease_seconds))
            health = self._health(guard, cluster)
            for (host, port), metrics in addresses:
                bound = await stack.enter_async_context(serve.serving(serve.app(health, metrics=metrics), host, port))
                self._log("listening", {"address": f"{host}:{bound}", "metrics": "yes" if metrics else "no"})
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, guard.stop)
            self._log("started", {"policy": self._policy.name, "digest": self._policy.digest})
            await guard.run()
        return exits.OK

    @asynccontextmanager
    async def _guard(self, api: Api, lease_seconds: float) -> AsyncIterator[tuple[Guard, KubernetesCluster]]:
        rng = random.Random()  # noqa: S311 (jitter of retries)
        namespaces = tuple(sorted({watch.namespace for watch in self._policy.watches}))
        identity = f"{os.environ.get('HOSTNAME') or socket.gethostname()}_{secrets.token_hex(4)}"
        settings = self._settings
        async with AsyncExitStack() as stack:
            cluster = await stack.enter_async_context(
                KubernetesCluster(api, self._clock, rng, namespaces=namespaces, instance=identity)
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
            metrics = PrometheusMetrics(self._policy.metrics, self._clock)
            stack.push_async_callback(metrics.close)
            hooks = tuple(Webhook(channel) for channel in self._policy.webhooks)
            for hook in hooks:
                stack.push_async_callback(hook.close)
            notifiers: tuple[Notifier, ...] = (LogNotifier(self._log), *hooks)
            leadership = KubernetesLeadership(
                api, self._clock, namespace=settings.namespace, identity=identity, duration=lease_seconds
            )
            guard = Guard(
                self._policy,
                cluster=cluster,
                records=records,
                leadership=leadership,
                metrics=metrics,
                notifiers=notifiers,
                journal=LogJournal(self._log),
                clock=self._clock,
                settings=settings,
                log=self._log,
                doctor=Examiner(
                    api=api,
                    clock=self._clock,
                    records=records,
                    policy=lambda: self._policy,
                    guard_namespace=settings.namespace,
                    account=None,
                    place=Place.GUARD,
                ),
            )
            yield guard, cluster

    def _health(self, guard: Guard, cluster: KubernetesCluster) -> serve.Health:
        def alive() -> str:
            return ""  # the event loop answered: a guard whose loop hangs does not

        def ready() -> str:
            status = guard.status()
            if status.leading:
                return "" if status.active else "leading, but the records are not loaded yet"
            return "" if status.standby else f"not leading: {status.waiting}"

        return serve.Health(
            alive=alive, ready=ready, exposition=lambda: exposition(guard.status(), cluster.watch_errors())
        )

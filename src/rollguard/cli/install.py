"""`rollguard install`: prints what an installed guard consists of, or puts it into the cluster."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.kubernetes import Api, install_manifests
from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.installing.install import Placed
from rollguard.adapters.kubernetes.installing.running import until_running
from rollguard.cli import exits, output
from rollguard.cli.connect import GUARD_NAMESPACE, Way, opened, refusals_told
from rollguard.cli.main import program_name
from rollguard.cli.policy import read_with_text
from rollguard.model.documents import Json
from rollguard.policy import durations
from rollguard.policy.amounts import counted
from rollguard.record import manifests as definitions_of_records
from rollguard.render import DEPLOYMENT, SELECTOR, Installation, definitions, manifests, to_yaml

Objects = tuple[dict[str, Json], ...]


def install(
    *,
    policy: Path | None = None,
    print_: Annotated[bool, Parameter(name="--print")] = False,
    apply: bool = False,
    definitions_only: bool = False,
    namespaced: bool = False,
    namespace: Annotated[str, Parameter(name=["-n", "--namespace"])] = GUARD_NAMESPACE,
    image: str = "",
    timeout: str = "2m",
    way: Way | None = None,
    format_: output.Document = output.Format.YAML,
) -> int:
    """Print what an installed guard consists of, or put it into the cluster and wait until it runs.

    Definitions, admission policy, namespace, ServiceAccount, a Role in each namespace that the policy watches, the
    policy as a ConfigMap, and the Deployment. Again is harmless: it brings a changed policy or image.

    Parameters
    ----------
    policy
        The policy file. A policy with mistakes is not installed.
    print_
        Print all objects, for `kubectl apply --server-side --field-manager rollguard -f -`.
    apply
        Apply them, and wait until the guard runs.
    definitions_only
        Only what a cluster needs once: the definitions and the admission policy. Needs no policy.
    namespaced
        No ClusterRole at all. What only an administrator may write is left as it is.
    namespace
        Where the guard runs.
    image
        The guard's image (default: rollguard:VERSION, as the Dockerfile makes it).
    timeout
        How long to wait for the guard, as 2m.
    """
    if print_ == apply:
        raise exits.CommandError("say what to do: --print, or --apply", exits.USAGE)
    within = _seconds(timeout)
    if definitions_only:
        objects: Objects = definitions(definitions_of_records())
    else:
        objects = objects_of(policy, namespace=namespace, image=image, namespaced=namespaced)
    if print_:
        output.say(text_of(objects, format_).rstrip("\n"))
        return exits.OK
    where = "default" if definitions_only else namespace
    work = _Work(objects=objects, namespace=where, lenient=namespaced, within=0.0 if definitions_only else within)
    return asyncio.run(refusals_told(work.apply(way or Way())))


def objects_of(policy: Path | None, *, namespace: str, image: str = "", namespaced: bool = False) -> Objects:
    """All objects of a guard under this policy file; ends the command where there is none, or it has mistakes."""
    if policy is None:
        raise exits.CommandError("--policy FILE is missing; `rollguard init` writes a first one", exits.USAGE)
    wanted = installation_of(policy, namespace=namespace, image=image, namespaced=namespaced)
    return manifests(wanted, definitions_of_records())


def installation_of(policy: Path, *, namespace: str, image: str = "", namespaced: bool = False) -> Installation:
    """A guard under this policy file, with the rights that it needs; ends the command where the policy has mistakes."""
    loaded, text = read_with_text(policy)
    return Installation(
        namespace=namespace,
        image=image or f"rollguard:{version('rollguard')}",
        policy=loaded,
        policy_text=text,
        permissions=tuple(right.permission for right in (*rights.needed(loaded), *rights.METRICS)),
        namespaced=namespaced,
    )


def text_of(objects: Objects, format_: output.Format) -> str:
    """The objects as one text that kubectl reads."""
    if format_ is output.Format.YAML:
        return to_yaml(objects)
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}, indent=2, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    objects: Objects
    namespace: str
    lenient: bool
    within: float
    """Seconds to wait for the guard; 0 where none is installed."""

    async def apply(self, way: Way) -> int:
        clock = SystemClock()
        async with opened(way, clock) as api:
            await install_manifests(api, clock, self.objects, probe_in=self.namespace, lenient=self.lenient, on=_say)
            output.say("the API server serves the definitions, and enforces who may ask")
            if self.within:
                await self._wait(api, clock)
        return exits.OK

    async def _wait(self, api: Api, clock: SystemClock) -> None:
        output.say(f"waiting for Deployment {DEPLOYMENT} in {self.namespace}")
        running = await until_running(
            api, clock, namespace=self.namespace, name=DEPLOYMENT, selector=SELECTOR, within=self.within
        )
        me = program_name()
        place = "" if self.namespace == GUARD_NAMESPACE else f" --guard-namespace {self.namespace}"
        removal = "" if self.namespace == GUARD_NAMESPACE else f" -n {self.namespace}"
        output.say(
            f"the guard runs: {counted(running, 'replica')}, of which one acts\n\n"
            f"Next:\n  {me} doctor{place}\n  {me} status{place}\n  {me} watch{place}\n"
            f"and to take it out again:\n  {me} uninstall{removal} --dry-run"
        )


def _seconds(timeout: str) -> float:
    seconds = durations.parse(timeout)
    if seconds is None or seconds <= 0:
        raise exits.CommandError(f"--timeout {timeout!r}: expected a duration such as 2m", exits.USAGE)
    return seconds


def _say(placed: Placed) -> None:
    output.say(f"{placed.thing}: {placed.change.value}")

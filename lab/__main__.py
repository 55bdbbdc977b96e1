"""The lab by hand: `python -m lab up`, `python -m lab scenario NAME`, `python -m lab scenarios`."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from lab import programs, scenarios, shell
from lab.manifests import MODEL_SERVICES, image
from lab.processes import ProcessError
from lab.programs import ProgramError
from lab.scenarios import ScenarioError
from lab.world import Lab, LabError, LabSettings

NAMESPACE = "production"
INTERRUPTED = 130
SECOND_CTRL_C_S = 2.0


def main() -> int:
    """Runs one command; returns its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    arguments = _parser().parse_args()
    try:
        if arguments.command == "scenarios":
            for name, summary in scenarios.known().items():
                print(f"{name:<28} {summary}")
            return 0
        programs.require()
        settings = LabSettings(seed=arguments.seed, say=_say)
        if arguments.command == "up":
            return asyncio.run(_interruptible(_up(settings, guarded=not arguments.no_guard), when_interrupted=0))
        work = scenarios.play(arguments.name, settings)
        return asyncio.run(_interruptible(work, when_interrupted=INTERRUPTED))
    except (ProgramError, ProcessError, LabError, ScenarioError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="bring the lab up and keep it until Ctrl-C")
    up.add_argument("--no-guard", action="store_true", help="nothing of the product: for one that you install")
    scenario = commands.add_parser("scenario", help="play one story and print what happened")
    scenario.add_argument("name", help="as `python -m lab scenarios` lists it")
    commands.add_parser("scenarios", help="list the stories")
    for each in (up, scenario):
        each.add_argument("--seed", type=int, default=1, help="of start-up times, traffic and lags")
    return parser


async def _interruptible(work: Coroutine[Any, Any, int], *, when_interrupted: int) -> int:
    """Runs the work; at Ctrl-C or SIGTERM it is cancelled, unwinds, and leaves no process."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    first: list[float] = []

    def interrupt() -> None:
        # One Ctrl-C arrives more than once: from the terminal, and from each program between it and us.
        if not first:
            first.append(loop.time())
            task.cancel()
        elif loop.time() - first[0] > SECOND_CTRL_C_S:
            # Whoever asks again does not wait for the clean-up: the kernel then ends the children.
            os._exit(INTERRUPTED)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        return when_interrupted


async def _up(settings: LabSettings, *, guarded: bool) -> int:
    _say("bringing the lab up; Ctrl-C ends all of it")
    try:
        async with Lab.up(settings) as lab:
            await lab.namespace(NAMESPACE)
            for name in MODEL_SERVICES:
                await lab.deploy(NAMESPACE, name)
            for name in MODEL_SERVICES:
                await lab.until_rolled_out(NAMESPACE, name)
            policy = lab.policy()
            if guarded:
                account = await lab.install()
                await lab.grant(policy)
                lab.controller(policy, kubeconfig=account)
                _say("the guard runs; waiting until it knows the running versions as good")
                await lab.until(lambda: _adopted(lab), what="the adoption of the running versions")
            _say(_how_to(lab, policy, guarded=guarded))
            while True:
                lab.check_parts()
                await asyncio.sleep(1.0)
    finally:
        _say("the lab is down")


async def _adopted(lab: Lab) -> bool:
    units = await lab.api.list(f"/apis/rollguard.dev/v1alpha1/namespaces/{NAMESPACE}/guardedunits")
    return len([unit for unit in units if unit.get("status", {}).get("adopted")]) == len(MODEL_SERVICES)


def _how_to(lab: Lab, policy: Path, *, guarded: bool) -> str:
    kubectl, rollguard = f"{shell.kubectl(lab)} -n {NAMESPACE}", shell.rollguard(lab)
    first = MODEL_SERVICES[0]
    release = f"{kubectl} set image deployment/{first} {first}={image(first, '')}"
    own = "" if guarded else f"\nGuard it\n  {rollguard} install --policy {policy} --apply\n"
    return f"""
The lab is up: {", ".join(MODEL_SERVICES)} run in namespace {NAMESPACE}{", guarded" if guarded else ""}.
Durations are scaled: 5 minutes of the platform's policy are 10 seconds here ({policy}).

In a shell of its own, to type less
  export PATH={lab.workdir}:$PATH PROMETHEUS={lab.prometheus.url}

Look at it
  {rollguard} watch
  {kubectl} get deployments,pods,guardedrollouts
  {lab.prometheus.url}/query?g0.expr=http_requests_total      (Prometheus)
  {lab.workdir}      (the log of each process)

Break it (the image's tag names the behaviour)
  {release}v2-errors-15pct
  {release}v2-slow
  {release}v2-crash
  {release}v2-missing

See what was done, or do it by hand
  {rollguard} incident list
  {rollguard} rollback {NAMESPACE} {first} --reason "it feels slow"
{own}
Ctrl-C ends all of it."""


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

"""The lab by hand: `python -m lab up`, `python -m lab scenario NAME`, `python -m lab scenarios`."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from lab import programs, scenarios
from lab.manifests import MODEL_SERVICES, image
from lab.processes import ProcessError
from lab.programs import ProgramError
from lab.scenarios import ScenarioError
from lab.world import Lab, LabError, LabSettings

NAMESPACE = "production"
INTERRUPTED = 130


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
            return asyncio.run(_interruptible(_up(settings), when_interrupted=0))
        work = scenarios.play(arguments.name, settings)
        return asyncio.run(_interruptible(work, when_interrupted=INTERRUPTED))
    except (ProgramError, ProcessError, LabError, ScenarioError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="bring the lab up and keep it until Ctrl-C")
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

    def interrupt() -> None:
        task.cancel()
        # A second Ctrl-C does not wait for the clean-up: the kernel then ends the children.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        return when_interrupted


async def _up(settings: LabSettings) -> int:
    _say("bringing the lab up; Ctrl-C ends all of it")
    try:
        async with Lab.up(settings) as lab:
            await lab.namespace(NAMESPACE)
            for name in MODEL_SERVICES:
                await lab.deploy(NAMESPACE, name)
            for name in MODEL_SERVICES:
                await lab.until_rolled_out(NAMESPACE, name)
            _say(_how_to(lab))
            while True:
                lab.check_parts()
                await asyncio.sleep(1.0)
    finally:
        _say("the lab is down")


def _how_to(lab: Lab) -> str:
    kubectl = f"{_kubectl(lab)} -n {NAMESPACE}"
    first = MODEL_SERVICES[0]
    release = f"{kubectl} set image deployment/{first} {first}={image(first, '')}"
    return f"""
The lab is up: {", ".join(MODEL_SERVICES)} run in namespace {NAMESPACE}.

Look at it
  {kubectl} get deployments,pods
  {lab.prometheus.url}/query?g0.expr=http_requests_total      (Prometheus)
  {lab.workdir}      (the log of each process)

Break it (the image's tag names the behaviour)
  {release}v2-errors-15pct
  {release}v2-slow
  {release}v2-crash
  {release}v2-missing
Mend it
  {kubectl} rollout undo deployment/{first}

Guard it
  rollguard run --policy {lab.policy()} --kubeconfig {lab.kubeconfig}

Ctrl-C ends all of it."""


def _kubectl(lab: Lab) -> Path:
    """A short command that is kubectl with the lab's kubeconfig."""
    script = lab.workdir / "kubectl"
    program = programs.require(["kubectl"])["kubectl"]
    script.write_text(f'#!/bin/sh\nexec "{program}" --kubeconfig "{lab.kubeconfig}" "$@"\n')
    script.chmod(0o755)
    return script


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

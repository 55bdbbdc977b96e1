"""`rollguard doctor`: every reason why the guard would not work on this cluster, each with what to do."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from rollguard.adapters.kubernetes.survey import Account, read_config
from rollguard.cli import exits, output
from rollguard.cli.connect import Connection, Session, session
from rollguard.cli.examination import Examiner
from rollguard.cli.policy import read
from rollguard.doctor import Check, State, examine, together
from rollguard.doctor.facts import Facts, Place
from rollguard.model.action import Absent, Unknown
from rollguard.model.policy import Policy
from rollguard.policy import load
from rollguard.render import ACCOUNT, CONFIG_NAME, POLICY_KEY

PATIENCE_S = 1.0
STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red", State.UNKNOWN: "magenta"}


def doctor(
    *,
    policy: Path | None = None,
    connection: Connection | None = None,
    account: str = ACCOUNT,
    as_me: Annotated[bool, Parameter(name="--as-me")] = False,
    format_: output.Output = output.Format.TABLE,
) -> int:
    """Look for every reason why the guard would not work on this cluster, and say what to do about each.

    Changes nothing and sends nothing. Exit code 0: nothing failed (warnings are allowed), 1: something did,
    3: the cluster did not answer, or nothing that matters could be looked at.

    Parameters
    ----------
    policy
        The policy file; else the policy that is installed in the cluster.
    account
        The guard's ServiceAccount, whose rights are looked at: NAME (in the guard's namespace) or NAMESPACE/NAME.
    as_me
        Look at the rights of whoever runs this, not at the guard's.
    """
    loaded = read(policy) if policy is not None else None
    return asyncio.run(_doctor(loaded, connection or Connection(), "" if as_me else account, format_))


async def _doctor(loaded: Policy | None, connection: Connection, account: str, format_: output.Format) -> int:
    async with session(connection) as opened, _progress():
        policy = loaded or await _installed(opened)
        examiner = Examiner(
            api=opened.api,
            clock=opened.clock,
            guard_namespace=opened.guard_namespace,
            account=_account(account, opened.guard_namespace) if account else None,
            place=Place.ELSEWHERE,
        )
        facts = await examiner.facts(policy)
    if isinstance(facts.version, Unknown) and _silent(facts):
        raise exits.CommandError(f"the cluster did not answer: {facts.version.detail}", exits.UNREACHABLE)
    checks = examine(facts)
    show(checks, format_)
    return exits.UNREACHABLE if blind(facts) else code(checks)


async def _installed(opened: Session) -> Policy:
    """The policy of the installed guard; ends the command with what to do where there is none."""
    where = f"ConfigMap {opened.guard_namespace}/{CONFIG_NAME}"
    found = await read_config(opened.api, opened.guard_namespace, CONFIG_NAME, POLICY_KEY)
    if isinstance(found, Unknown):
        raise exits.CommandError(f"{where}: {found.detail}; name a policy: --policy FILE", exits.UNREACHABLE)
    if isinstance(found, Absent):
        text = f"no policy is installed ({where}); name one: --policy FILE (`rollguard init` writes one)"
        raise exits.CommandError(text, exits.USAGE)
    policy = load(found, where)
    if not isinstance(policy, Policy):
        raise exits.CommandError(f"{where} has mistakes:\n" + "\n".join(map(str, policy)), exits.USAGE)
    return policy


def _account(text: str, guard_namespace: str) -> Account:
    namespace, slash, name = text.rpartition("/")
    return Account(namespace=namespace if slash else guard_namespace, name=name)


def code(checks: Sequence[Check]) -> int:
    """The exit code: warnings, and what could not be asked, are no failures."""
    return exits.PROBLEM if any(check.state is State.FAILED for check in checks) else exits.OK


def show(checks: Sequence[Check], format_: output.Format) -> None:
    """Prints the checks: coloured only on a terminal, and not where NO_COLOR is set."""
    if format_.for_programs:
        document = {"summary": _counts(checks), "checks": [_fields(check) for check in checks]}
        output.say(output.document(json.dumps(document, indent=2, ensure_ascii=False), format_))
        return
    console = Console(highlight=False)
    for line in page(checks):
        console.print(line, soft_wrap=True)


def page(checks: Sequence[Check]) -> list[Text]:
    """The table: by group, what is wrong followed by what to do, and one line that sums up (each check counts)."""
    lines: list[Text] = []
    shown = together(checks)
    names = max((len(check.name) for check in shown), default=0)
    subjects = min(50, max((len(check.subject) for check in shown), default=0))
    for group, members in groupby(shown, key=lambda check: check.group):
        lines.append(Text(group.upper()))
        for check in members:
            state = Text(f"  {check.state.value:<8}", style=STYLES[check.state])
            lines.append(state + Text(f" {check.name:<{names}}  {check.subject:<{subjects}}  {check.found}"))
            if check.what_to_do:
                lines.append(Text(f"  {'':<8} {'':<{names}}  -> {check.what_to_do}"))
    return [*lines, Text(), Text(summary(checks))]


def summary(checks: Sequence[Check]) -> str:
    """One line: how many of each, and what that means."""
    counts = _counts(checks)
    told = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    if counts[State.FAILED.value]:
        return f"{told}: the guard does not work as the policy says until what failed is mended."
    if counts[State.UNKNOWN.value]:
        return f"{told}: nothing failed, but not everything could be looked at."
    if counts[State.WARNING.value]:
        return f"{told}: the guard works; the warnings say where it could do more."
    return f"{told}: the guard works here."


def _counts(checks: Sequence[Check]) -> dict[str, int]:
    worst_first = (State.FAILED, State.UNKNOWN, State.WARNING, State.OK)
    return {state.value: sum(check.state is state for check in checks) for state in worst_first}


def _fields(check: Check) -> dict[str, object]:
    unit = str(check.unit) if check.unit is not None else None
    return {**asdict(check), "state": check.state.value, "unit": unit}


def blind(facts: Facts) -> bool:
    """Whether neither a right, nor a namespace, nor the metrics store could be looked at: then nothing was examined."""
    rights = all(isinstance(each.allowed, Unknown) for each in facts.rights.answers)
    namespaces = all(isinstance(each.workloads, Unknown) for each in facts.namespaces)
    return rights and namespaces and bool(facts.store.problem)


def _silent(facts: Facts) -> bool:
    """Nothing at all was answered."""
    asked = [facts.version, facts.enforced, facts.units, *(each.presence for each in facts.installed)]
    return all(isinstance(each, Unknown) for each in asked) and facts.server_offset is None


@contextlib.asynccontextmanager
async def _progress() -> AsyncIterator[None]:
    """On a terminal, says after a while that it is still looking."""
    console = Console(stderr=True)

    async def tell() -> None:
        await asyncio.sleep(PATIENCE_S)
        with console.status("looking at the cluster and the metrics store ..."):
            await asyncio.Event().wait()

    task = asyncio.create_task(tell()) if console.is_terminal else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

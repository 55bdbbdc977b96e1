"""`rollguard notify test`: a marked test through each channel, where the Secret is mounted: in the guard's pod."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rollguard.adapters.channels import PolicyChannels
from rollguard.adapters.clock import SystemClock
from rollguard.adapters.secrets import Secrets
from rollguard.cli import exits, output
from rollguard.cli.policy import read
from rollguard.model.channels import FIXED, LOG, TICKETS
from rollguard.model.notices import Notice, NoticeClass
from rollguard.model.policy import Policy
from rollguard.notify.pages import PAGERS
from rollguard.ports import Accepted, NotConfigured, Notifier, Refused, Retry
from rollguard.render import POLICY_KEY, SECRETS_PATH
from rollguard.render.deployment import CONFIG_PATH

TIMEOUT_S = 10.0
TOPIC = "test"


class Result(StrEnum):
    """What became of a test."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NO_ANSWER = "no good answer"
    """It may or may not have arrived."""
    NOT_SENT = "not sent"
    """Something on this side keeps it from leaving."""
    NOT_CONFIGURED = "not configured"
    SHARED = "shared"
    """Its messages arrive where another channel's do, which was tested."""
    NOT_TESTED = "not tested"
    """A test would do what nobody wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """One channel after its test."""

    channel: str
    result: Result
    detail: str
    """The service's answer, or what is missing."""


def test(
    channel: str = "",
    /,
    *,
    policy: Path = Path(CONFIG_PATH) / POLICY_KEY,
    secrets_directory: Annotated[Path, Parameter(name="--secrets")] = Path(SECRETS_PATH),
    format_: output.Output = output.Format.TABLE,
    no_headers: output.NoHeaders = False,
) -> int:
    """Send a marked test through each channel, and say which succeeded, with the service's answer.

    A test of PagerDuty opens an incident, which calls whoever is on call: resolve it there. Exit code 0: every channel
    that is configured took it; 1: one did not, or none is configured; 2: there is no such channel or directory, or the
    policy cannot be read. Tickets are not tested: a test would make one.

    Parameters
    ----------
    channel
        Only this channel; it must be configured.
    policy
        The policy file; by default the one of the guard's pod, where this is meant to run.
    secrets_directory
        Where the Secret `notification-secrets` is mounted.
    """
    loaded = read(policy)
    if not secrets_directory.is_dir():
        what = "not a directory" if secrets_directory.exists() else "no such directory"
        raise exits.CommandError(f"--secrets {secrets_directory}: {what}", exits.USAGE)
    found = asyncio.run(_test(loaded, Secrets(secrets_directory), channel))
    if format_.for_programs:
        lines = [output.as_object(channel=t.channel, result=t.result.value, detail=t.detail) for t in found]
        output.say(output.document(output.as_json(lines), format_))
    else:
        rows = [(each.channel, each.result.value, each.detail) for each in found]
        header = ("CHANNEL", "RESULT", "ANSWER")
        output.say(output.table(header, rows, headers=not no_headers, within=output.width(format_)))
    return _code(found, chosen=bool(channel))


def _code(found: tuple[Tested, ...], *, chosen: bool) -> int:
    passed = {Result.ACCEPTED, Result.SHARED}
    if not chosen:
        passed |= {Result.NOT_CONFIGURED, Result.NOT_TESTED}
    good = all(each.result in passed for each in found) and any(each.result is Result.ACCEPTED for each in found)
    return exits.OK if good else exits.PROBLEM


async def _test(policy: Policy, values: Secrets, channel: str) -> tuple[Tested, ...]:
    """All channels, or the one, in the order of the policy's words."""
    channels = PolicyChannels(values, SystemClock())
    connected = {notifier.name: notifier for notifier in channels.connect(policy)}
    hooks = [hook.name for hook in policy.webhooks]
    names = [name for name in [*FIXED, *policy.slack.of_teams(), *hooks] if name != LOG]
    if channel and channel not in names:
        raise exits.CommandError(f"there is no channel {channel}: expected one of {', '.join(names)}", exits.USAGE)
    lacking = channels.lacking(policy)
    first: dict[str, str] = {}
    work = []
    for name in [channel] if channel else names:
        place = first.setdefault(channels.place(name, policy), name)
        notifier = connected.get(name)
        if notifier is None or name in lacking:
            work.append(_said(name, Result.NOT_CONFIGURED, f"needs {lacking.get(name, 'a part in the policy')}"))
        elif name == TICKETS:
            work.append(_said(name, Result.NOT_TESTED, "a test would make a ticket"))
        elif place != name:
            work.append(_said(name, Result.SHARED, f"its messages arrive where those of {place} do"))
        else:
            work.append(_send(notifier, values, policy))
    try:
        return tuple(await asyncio.gather(*work))
    finally:
        for notifier in connected.values():
            await notifier.close()


async def _said(channel: str, result: Result, detail: str) -> Tested:
    return Tested(channel=channel, result=result, detail=detail)


async def _send(notifier: Notifier, values: Secrets, policy: Policy) -> Tested:
    """A notice of its own for each channel. Only a page opens something at a pager."""
    class_ = NoticeClass.PAGE if notifier.name in PAGERS else NoticeClass.INFO
    place = f" of cluster {policy.cluster}" if policy.cluster else ""
    text = f"Somebody tests the channel {notifier.name}{place} with `rollguard notify test`: nothing is wrong."
    notice = Notice(
        id=f"rollguard.{secrets.token_hex(4)}.test.{notifier.name}.1",
        class_=class_,
        topic=TOPIC,
        title="TEST: Rollguard's notices arrive here",
        text=text,
        at=SystemClock().now(),
    )
    try:
        async with asyncio.timeout(TIMEOUT_S + 1.0):
            outcome = await notifier.send(notice, None, timeout=TIMEOUT_S)
    except TimeoutError:
        return await _said(notifier.name, Result.NO_ANSWER, f"no whole answer within {TIMEOUT_S:g} s")
    detail = " ".join(values.redact(outcome.detail).split())
    return await _said(notifier.name, _result(outcome), detail)


def _result(outcome: Accepted | Refused | Retry | NotConfigured) -> Result:
    match outcome:
        case Accepted():
            return Result.ACCEPTED
        case Refused():
            return Result.REFUSED
        case Retry(sent=sent):
            return Result.NO_ANSWER if sent else Result.NOT_SENT
        case NotConfigured():
            return Result.NOT_CONFIGURED

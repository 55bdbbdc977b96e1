"""What concerns all units is said on one, `rollguard-all` in the guard's namespace: as conditions, and by a page."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from rollguard.loop import conditions, telling, units
from rollguard.loop.context import Context
from rollguard.loop.leader import LeadershipLost
from rollguard.loop.store import Unavailable, Vanished
from rollguard.model.lifecycle import Tell
from rollguard.model.names import UnitName, WorkloadKind, WorkloadName
from rollguard.model.notices import NoticeClass
from rollguard.model.policy import Policy
from rollguard.model.records import EVERYTHING, JOURNAL_UNREACHED, RolloutRecord, UnitRecord
from rollguard.model.time import Instant

POLICY_INVALID, POLICY_UNREAD, NAMESPACE_UNREAD = "PolicyInvalid", "PolicyUnread", "NamespaceUnread"
"""Conditions of `rollguard-all`, beside `Unseen` and `JournalUnreached`."""
TOPIC_UNSEEN = "unseen"
UNITS = 3
"""How many are named."""
CHANNELS = 100
"""How many are told: teams and webhooks may bring more, after the fixed ones, than a record has room for."""
MISTAKES = 3
"""How many mistakes are told; the log and the policy object have them all."""


async def tell(context: Context, unread: tuple[str, ...]) -> None:
    """Says what is wrong with the policy and the journal, which namespaces cannot be read and what hides units, as long
    as it is so; and by which channels notices go out.

    What hides many units is one page.
    """
    try:
        await _say(context, unread)
        await context.policies.report()
    except (Unavailable, Vanished, LeadershipLost) as error:
        context.log("condition-not-written", {"unit": EVERYTHING, "detail": str(error)})


async def create(context: Context) -> UnitRecord:
    """The unit that stands for all, created where nobody has needed it yet; raises Unavailable, LeadershipLost."""
    name = name_of_all(context)
    known = context.store.unit(name)
    if known is not None:
        return known
    workload = WorkloadName(name.namespace, WorkloadKind.DEPLOYMENT, EVERYTHING)
    return await context.store.create_unit(UnitRecord(name=name, workload=workload))


def name_of_all(context: Context) -> UnitName:
    """What it is called."""
    return UnitName(context.settings.namespace, EVERYTHING)


async def _say(context: Context, unread: tuple[str, ...]) -> None:
    mistakes, missing = _mistakes(context.policies.mistakes), "; ".join(unread)
    unseen, unjudged = conditions.unseen(context), _unjudged(context)
    hidden = unseen | unjudged | _long_unread(context, unread)
    journal, needs = context.journal.problem(), context.outbox.needs()
    due = mistakes or missing or unseen or unjudged or journal or needs
    unit = await create(context) if due else context.store.unit(name_of_all(context))
    policy, now = context.policy, context.now()
    reason = f"{mistakes}; the policy {policy.digest[:12]} stays in force"
    page = Tell(class_=NoticeClass.PAGE, topic="policy-invalid", reason=reason)
    news = "; ".join(hidden[cause] for cause in sorted(hidden.keys() - context.told))

    def said(unit: UnitRecord) -> UnitRecord:
        due = mistakes and (POLICY_INVALID not in dict(unit.conditions) or _long_ago(unit, page.topic, policy, now))
        told = telling.told_unit(unit, page, policy=policy, now=now) if due else unit
        if news:
            blind = Tell(class_=NoticeClass.PAGE, topic=TOPIC_UNSEEN, reason=news)
            told = telling.told_unit(told, blind, policy=policy, now=now)
        told = units.with_present_condition(told, POLICY_INVALID, mistakes)
        told = units.with_present_condition(told, conditions.UNSEEN, "; ".join(unseen.values()))
        told = units.with_present_condition(told, JOURNAL_UNREACHED, journal or "")
        told = _with_outlets(told, needs, journal)
        told = units.with_present_condition(told, POLICY_UNREAD, "; ".join(unjudged.values()))
        return units.with_present_condition(told, NAMESPACE_UNREAD, missing)

    if unit is not None and said(unit) != unit:
        await context.store.change_unit(unit.name, said)
    context.told = frozenset(hidden)


def _with_outlets(unit: UnitRecord, needs: tuple[tuple[str, str], ...], journal: str | None) -> UnitRecord:
    """With what notices and the journal's lines go out by; as it is where another process knows that."""
    reached = None if journal is None else not journal
    return replace(unit, channels=needs[:CHANNELS], journal_reached=reached) if needs else unit


def _unjudged(context: Context) -> dict[str, str]:
    """Kept policies that the server has not given for a minute, and in words whose rollouts are not judged for that."""
    now = context.now()
    waiting: defaultdict[str, list[RolloutRecord]] = defaultdict(list)
    for record in sorted(context.store.rollouts, key=lambda record: record.unit):
        if record.closed is None and context.policies.unread(record, now):
            waiting[record.policy_digest].append(record)
    return {
        f"policy {digest}": f"the policy {digest[:12]} cannot be read, so what began under it is not judged"
        f" ({_units(records)}): {context.policies.unread(records[0], now)}"
        for digest, records in sorted(waiting.items())
    }


def _units(records: list[RolloutRecord]) -> str:
    more = f" and {len(records) - UNITS} more" if len(records) > UNITS else ""
    return ", ".join(str(record.unit) for record in records[:UNITS]) + more


def _long_unread(context: Context, unread: tuple[str, ...]) -> dict[str, str]:
    """Namespaces that could not be read for a minute, and why: a server that is starting is no news."""
    why = {line.partition(": ")[0].rpartition(" in ")[2]: line for line in reversed(unread)}
    now = context.now()
    context.unread = {namespace: context.unread.get(namespace, now) for namespace in why}
    return {
        f"namespace {namespace}": f"the namespace {namespace} cannot be read, so nothing is guarded there: {line}"
        for namespace, line in sorted(why.items())
        if now.since(context.unread[namespace]) >= conditions.UNSEEN_AFTER
    }


def _long_ago(unit: UnitRecord, topic: str, policy: Policy, now: Instant) -> bool:
    """Whether it is time to page again for what still stands, whatever its words are by now."""
    last = max((notice.at for notice in unit.notices if notice.topic == topic), default=None)
    return last is None or now.since(last) >= policy.timing.repeat_notice


def _mistakes(mistakes: tuple[str, ...]) -> str:
    more = f"; and {len(mistakes) - MISTAKES} more" if len(mistakes) > MISTAKES else ""
    return "; ".join(mistakes[:MISTAKES]) + more

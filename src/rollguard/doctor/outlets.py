"""What the guard itself says of its channels and its journal: it alone has the Secret. Only names of keys are told."""

from __future__ import annotations

from collections.abc import Iterator

from rollguard.doctor import guard
from rollguard.doctor.check import Check, State, Topic
from rollguard.doctor.facts import Facts
from rollguard.model.action import Unknown
from rollguard.model.channels import PAGERDUTY, PAGERDUTY_EVENTS, SecretKey, by_needs
from rollguard.model.policy import Policy
from rollguard.model.records import JOURNAL_UNREACHED, UnitRecord

GROUP = "notices"

SET_UP = Topic(
    group=GROUP,
    name="set up",
    about="Notices reach people: channels are set up, and the Secret holds the keys that `notify.secrets` names",
    remedy="put what is needed into the Secret `notification-secrets` or the policy; `rollguard notify test`, where "
    "the guard runs, tries the channels",
)
ALERTMANAGER = Topic(
    group=GROUP,
    name="alertmanager",
    about="With the guard dead Alertmanager can page by itself, where PagerDuty is to be used",
    remedy="give the service in PagerDuty an Events API v2 integration, put its key into the Secret as "
    f"`{SecretKey.PAGERDUTY_ROUTING_KEY}`, name it in `notify.secrets`, and render the routes anew",
)
JOURNAL = Topic(
    group=GROUP,
    name="journal reached",
    about="The journal's database takes the guard's lines, as the guard says",
    remedy="see docs/journal.md: a valid `journal-dsn` in the Secret, a server that the guard's namespace reaches, the "
    "rights on its tables; lines that got lost meanwhile are in the guard's log",
)
TOPICS = (SET_UP, ALERTMANAGER, JOURNAL)
LOOK = "look again in a minute; `rollguard notify test`, where the guard runs, tries the channels"


def checks(facts: Facts) -> Iterator[Check]:
    """Where nobody leads, whose word would count, the check `leader` says so."""
    policy = facts.policy
    if _rest_alone(policy):
        words = "the policy names REST keys alone: with the guard dead Alertmanager cannot page, it writes to Slack"
        yield ALERTMANAGER.warning("PagerDuty", words)
    if guard.leader(facts).state is not State.OK:
        return
    said = _said(facts)
    yield from _set_up(policy, said)
    if SecretKey.PAGERDUTY_ROUTING_KEY in policy.notification_secrets:
        yield _pages(said)
    if policy.journal is not None:
        yield _journal(f"{policy.journal.kind} {policy.journal.path}".strip(), said)


def _said(facts: Facts) -> UnitRecord | str:
    """The unit on which the guard says it; in words why it does not."""
    found = facts.everything
    if isinstance(found, Unknown):
        return f"what the guard says cannot be read: {found.detail}"
    return found if isinstance(found, UnitRecord) and found.channels else "the guard has not said it yet"


def _rest_alone(policy: Policy) -> bool:
    """Alertmanager's pages need the key of an integration, which the REST API's keys are not."""
    named = policy.notification_secrets
    return SecretKey.PAGERDUTY_API_KEY in named and SecretKey.PAGERDUTY_ROUTING_KEY not in named


def _set_up(policy: Policy, said: UnitRecord | str) -> Iterator[Check]:
    """What is optional may be missing; what the policy names may not, and somebody must be told."""
    if isinstance(said, str):
        yield SET_UP.unknown("channels", said, LOOK)
        return
    asked = tuple((name, needs) for name, needs in said.channels if _named(name, needs, policy))
    if all(needs for _, needs in said.channels):
        yield SET_UP.warning("channels", "none is set up: notices go to the guard's log alone")
    for needs, names in by_needs(each for each in said.channels if each not in asked).items():
        yield SET_UP.ok(names, f"not asked for: needs {needs}" if needs else "set up")
    for needs, names in by_needs(asked).items():
        yield SET_UP.warning(names, f"needs {needs}")


def _named(channel: str, needs: str, policy: Policy) -> bool:
    """Whether the policy means that channel, which is not there: it names a key that is missing, or the other half."""
    half = channel == PAGERDUTY and bool(needs) and SecretKey.PAGERDUTY_API_KEY in policy.notification_secrets
    return half or any(f"`{key}`" in needs for key in policy.notification_secrets)


def _pages(said: UnitRecord | str) -> Check:
    """Whether the key that Alertmanager's routes name is there."""
    if isinstance(said, str):
        return ALERTMANAGER.unknown("PagerDuty", said, LOOK)
    if needs := dict(said.channels).get(PAGERDUTY_EVENTS):
        return ALERTMANAGER.warning("PagerDuty", f"needs {needs}: Alertmanager cannot page")
    return ALERTMANAGER.ok("PagerDuty", "Alertmanager pages by itself, also when the guard is dead")


def _journal(subject: str, said: UnitRecord | str) -> Check:
    if isinstance(said, str):
        return JOURNAL.unknown(subject, said, "look again in a minute; the guard's log has lines `journal`")
    if said.journal_reached is None:
        words = "the guard has no journal, or has not asked it yet"
        return JOURNAL.unknown(
            subject, words, "apply the policy that names it; a guard that runs takes it up at its start"
        )
    if said.journal_reached:
        return JOURNAL.ok(subject, "takes the guard's lines")
    return JOURNAL.warning(subject, dict(said.conditions).get(JOURNAL_UNREACHED, "takes no lines"))

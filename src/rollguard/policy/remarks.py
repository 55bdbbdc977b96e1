"""What is as it may be in a policy's text, and yet is worth a word."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from rollguard.model.channels import SecretKey
from rollguard.model.destinations import JournalKind
from rollguard.model.policy import Policy
from rollguard.policy.mistakes import Mistakes
from rollguard.policy.teams import remark_on_slack
from rollguard.policy.yaml_text import Marked, Path, read

INSIDE = (".svc", ".cluster.local", ".internal", ".local")
"""How names end that are not known outside."""


def remarks(policy: Policy, text: str, file: str) -> Mistakes:
    """The remarks on a good policy, in order of place. `policy` is what the text says."""
    marked = read(text, file)
    if SecretKey.PAGERDUTY_API_KEY in policy.notification_secrets and not policy.paging.sender:
        path = ("spec", "notify", "secrets")
        keys = [(*path, index) for index in range(len(policy.notification_secrets))]
        named = [key for key in keys if marked.has(key) and marked.places[key].text == SecretKey.PAGERDUTY_API_KEY]
        for place in named:
            words = "`notify.pagerduty.from` beside it: PagerDuty opens no incident that is in nobody's name"
            marked.wrong(place, SecretKey.PAGERDUTY_API_KEY.value, words)
    remark_on_slack(policy.slack.teams, policy.notification_secrets, marked)
    _on_journal(policy, marked)
    _on_open_ways(policy, marked)
    return tuple(sorted(marked.mistakes, key=lambda mistake: (mistake.line, mistake.column)))


def _on_journal(policy: Policy, marked: Marked) -> None:
    """The list of keys says what the Secret must hold; a journal without its own is not reached."""
    named = SecretKey.JOURNAL_DSN in policy.notification_secrets
    if policy.journal is not None and policy.journal.kind is JournalKind.POSTGRES and not named:
        words = f"`{SecretKey.JOURNAL_DSN}` among `notify.secrets`: that key of the Secret says where the database is"
        marked.wrong(("spec", "journal", "postgres"), "postgres", words, key=True)


def _on_open_ways(policy: Policy, marked: Marked) -> None:
    """What is sent to an outside host without TLS is read on the way."""
    path = ("spec", "notify")
    ways: list[tuple[Path, str]] = [
        ((*path, "webhooks", index, "url"), hook.url) for index, hook in enumerate(policy.webhooks)
    ]
    if policy.tickets is not None:
        ways.append(((*path, "tickets", "url"), policy.tickets.channel.url))
    for place, url in ways:
        parts = urlsplit(url)
        if parts.scheme == "http" and _outside((parts.hostname or "").rstrip(".")):
            words = "an address that begins with https://: what happened, and where, can be read on the way"
            marked.wrong(place, url, words)


def _outside(host: str) -> bool:
    """Whether a host is beyond the cluster and its network, by its name or address."""
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(INSIDE)

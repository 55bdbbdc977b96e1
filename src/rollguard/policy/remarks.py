"""What is as it may be in a policy's text, and yet is worth a word."""

from __future__ import annotations

from rollguard.model.channels import SecretKey
from rollguard.model.policy import Policy
from rollguard.policy.mistakes import Mistakes
from rollguard.policy.teams import remark_on_slack
from rollguard.policy.yaml_text import read


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
    return tuple(sorted(marked.mistakes, key=lambda mistake: (mistake.line, mistake.column)))

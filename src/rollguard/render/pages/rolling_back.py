"""When the guard rolls back by itself, and the commands by which a person does it."""

from __future__ import annotations

from rollguard.model.policy import Mode, Policy
from rollguard.model.signals import EventRule, LevelName, Signal
from rollguard.policy import durations
from rollguard.render.job import NAME
from rollguard.render.labels import DEPLOYMENT
from rollguard.render.pages.text import code, listed, spoken

SCRIPT = "/scripts/rollback.sh"


def triggers(policy: Policy) -> tuple[str, ...]:
    """Every rollback level and event rule that applies somewhere, with its signal: `errors: > 10% for 5m`."""
    return tuple(
        f"`{signal.name}`: {level.text}{_asked_about(signal, policy)}"
        for signal in policy.signals
        for level in signal.levels
        if level.name is LevelName.ROLLBACK and any(watch.uses(signal.name) for watch in policy.watches)
    )


def _asked_about(signal: Signal, policy: Policy) -> str:
    """Words for what is only asked about in every mode."""
    migration = signal.rule is EventRule.MIGRATION_FAILED
    alone = policy.migration is not None and policy.migration.on_failure_roll_back
    asked = (migration and not alone) or (signal.shared and not policy.shared_roll_back)
    return " (it asks, in every mode)" if asked else ""


def by_itself(policy: Policy) -> str:
    """What the guard does, and when, as the policy's modes have it."""
    automatic, close = (durations.format_(each) for each in (policy.timing.automatic, policy.timing.close))
    words = {
        Mode.AUTOMATIC: f"goes back by itself within {automatic} of a rollout, and asks until {close}",
        Mode.APPROVE: f"asks within {close} of a rollout, and goes back when somebody approves",
        Mode.OBSERVE: "only says what it would have done",
    }
    lines = []
    for mode in Mode:
        named = [f"`{watch.name}`" for watch in policy.watches if watch.mode is mode]
        if named:
            lines.append(f"For {spoken(named)} (mode `{mode.value}`) the guard {words[mode]}.")
    return f"{' '.join(lines)} It does so when one of these is reached:\n\n{listed(triggers(policy))}"


def ordered(guard: str, reason: str) -> str:
    """The commands for a rollback by hand, in the order in which they are tried. They use `$NAMESPACE` and
    `$DEPLOYMENT`."""
    own = f'rollguard rollback "$NAMESPACE/$DEPLOYMENT" --reason "{reason}"'
    script = f'{SCRIPT} "$NAMESPACE" "$DEPLOYMENT" "{reason}"'
    return "\n\n".join(
        (
            code("sh", f"{own} --dry-run", own, 'rollguard status --namespace "$NAMESPACE"'),
            "A Deployment of a release set stands for the whole set; `--only` takes back that one alone. `--force`"
            " overrides the guard's own judgement, not a freeze. Without `rollguard` at hand, on any replica:",
            code("sh", f"kubectl -n {guard} exec -it deployment/{DEPLOYMENT} -- {script}"),
            "While no replica lives (it takes no names: it rolls back the one bad rollout, or lists them):",
            code(
                "sh",
                f'kubectl -n {guard} create job --from=cronjob/{NAME} "rollback-$(date +%s)"',
            ),
        )
    )

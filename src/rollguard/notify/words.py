"""What a notice says: cluster, unit, from which version to which, the value and the bound, what was done or why not,
the command a human would run next, where to look, in UTC and in the team's own time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from rollguard.model.judgement import Finding
from rollguard.model.lifecycle import Tell
from rollguard.model.names import WorkloadKind
from rollguard.model.policy import Mode, Policy
from rollguard.model.records import RolloutRecord, Side, UnitRecord
from rollguard.model.time import Instant
from rollguard.policy import durations

TITLES = {
    "rollout-began": "Rollout began",
    "healthy": "Release is healthy",
    "ended": "Rollout ended",
    "warning": "Warning during a rollout",
    "critical": "Critical value during a rollout",
    "hold": "Bad release held: a human is needed",
    "hold-over": "The hold is over",
    "blind": "Blind: the rollout cannot be judged",
    "ask": "Bad release: approve the rollback",
    "ask-withdrawn": "The rollback need not be approved any more",
    "rejected": "The rollback was rejected",
    "incident-resolved": "The incident is resolved",
    "ticket": "Ticket",
    "investigating": "Somebody looks into it",
    "not-acknowledged": "Nobody has acknowledged the page",
    "approval-timed-out": "Nobody approved the rollback",
    "would-roll-back": "Would have rolled back",
    "rolled-back": "Rolled back",
    "recovered": "Recovered after the rollback",
    "unconfirmed": "Restored, recovery unconfirmed",
    "did-not-help": "The rollback did not help",
    "stalled": "The rollback is stalled",
    "switched-back": "Switched back",
    "half-back": "Half back: the rollback has not come to its end, and goes on",
    "verification-cut-short": "A newer change ended the watch over the restored version",
    "superseded": "The rollback stopped",
    "plan-refused": "The rollback is not possible",
    "order-refused": "The ordered rollback was refused",
    "answer-unasked": "The answer met no open question",
    "new-target": "A newer version replaced the one under guard",
    "put-back": "The version before is back, by hand",
    "unseen": "Not seen, so not guarded",
    "policy-invalid": "The policy has mistakes, an earlier one stays in force",
    "held-to-the-end": "The guard window is over, and nobody decided",
    "quiet-over": "While it was quiet",
}
"""Title by topic; a topic without one is written with spaces for its dashes."""

COMMANDS = {
    "hold": 'rollguard rollback {namespace} {name} --reason "..." (with --force against the guard\'s own judgement)',
    "ask": 'rollguard approve {namespace}/{name} --reason "..." (or reject)',
    "would-roll-back": 'rollguard rollback {namespace} {name} --reason "..."',
    "not-acknowledged": 'rollguard ack {namespace}/{name} --reason "..."',
    "critical": 'rollguard rollback {namespace} {name} --reason "..."',
    "blind": "rollguard status -n {namespace}",
    "warning": "rollguard status -n {namespace}",
    "unseen": "rollguard doctor",
    "did-not-help": "kubectl -n {namespace} get pods -o wide",
    "stalled": "kubectl -n {namespace} rollout status deployment/{name}",
    "unconfirmed": "kubectl -n {namespace} rollout status deployment/{name}",
    "answer-unasked": 'rollguard rollback {namespace} {name} --reason "..."',
    "approval-timed-out": 'rollguard rollback {namespace} {name} --reason "..."',
    "held-to-the-end": 'rollguard rollback {namespace} {name} --reason "..."',
    "superseded": "kubectl -n {namespace} rollout history deployment/{name}",
    "plan-refused": "kubectl -n {namespace} rollout history deployment/{name}",
}
"""What a human would run next, by topic."""

SET_COMMANDS = {
    "half-back": "rollguard status -n {namespace}",
    "stalled": "kubectl -n {namespace} get services,deployments,pods -o wide",
    "unconfirmed": "kubectl -n {namespace} get services,deployments,pods -o wide",
    "superseded": "kubectl -n {namespace} get services,deployments -o wide",
    "plan-refused": "kubectl -n {namespace} get services,deployments -o wide",
}
"""The same for a release set, where it is another."""


SAME_IN_EVERY_MODE = frozenset({"healthy", "warning", "critical", "hold", "hold-over"})
"""Topics whose notices say in mode observe that there is no difference."""

TEXT_MAX = 3900
"""Characters of a text: a record cuts a longer one at its end, where the command to run next stands."""
TIME, NEXT, INCIDENT, DASHBOARD, RUNBOOK = "Time: ", "Next: ", "Incident: ", "Dashboard: ", "Runbook: "
"""How the last lines of a text begin: channels that set them apart know them by that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A notice's title (one line) and text (several lines, plain)."""

    title: str
    text: str


def words(tell: Tell, rollout: RolloutRecord | None, unit: UnitRecord, policy: Policy, now: Instant) -> Words:
    """The words of a notice about a unit, and its rollout where there is one."""
    place = f"{unit.workload.namespace}/{unit.workload.name}"
    if policy.cluster:
        place += f" on {policy.cluster}"
    headline = TITLES.get(tell.topic, tell.topic.replace("-", " ").capitalize())
    lines = [tell.reason]
    if rollout is not None:
        lines += _passage(rollout)
        lines += [f"- {_evidence(finding, policy)}" for finding in rollout.findings]
        lines += _returned(rollout, policy)
        lines += _observed(tell.topic, rollout)
    last = [f"{TIME}{both_times(now, policy.time_zone)}", *_next(tell.topic, rollout, unit), *_links(unit, policy)]
    end = "\n".join(last)
    story = "\n".join(line for line in lines if line)
    room = max(TEXT_MAX - len(end) - 1, 0)
    story = story if len(story) <= room else f"{story[: room - 1]}…"
    return Words(title=f"{headline}: {place}", text="\n".join(part for part in (story, end) if part))


def both_times(moment: Instant, zone: str) -> str:
    """The moment in UTC and, where it differs, in the team's zone."""
    utc = datetime.fromtimestamp(moment.seconds, UTC)
    text = utc.strftime("%Y-%m-%d %H:%M:%S UTC")
    if zone in ("", "UTC"):
        return text
    local = utc.astimezone(ZoneInfo(zone))
    return f"{text} ({local.strftime('%Y-%m-%d %H:%M:%S')} {zone})"


def images_text(images: tuple[tuple[str, str], ...]) -> str:
    """The images of a revision, without the container's name where there is only one."""
    if len(images) == 1:
        return images[0][1]
    return ", ".join(f"{container}={image}" for container, image in images)


def _passage(rollout: RolloutRecord) -> list[str]:
    new = f"revision {rollout.target_number} ({images_text(rollout.target_images)})"
    if rollout.order and rollout.passages:
        by = f", by {rollout.plan.actor}" if rollout.plan is not None else ""
        moves = [f"- {passage.member}: {_way(passage.new, passage.old)}" for passage in rollout.passages]
        return [f"Ordered while nothing rolled out{by}:", *moves]
    if rollout.order:
        plan = rollout.plan
        back = f" back to revision {plan.target.number} ({images_text(plan.target.images)})" if plan is not None else ""
        return [f"From {new}{back}, ordered while nothing rolled out" + (f", by {plan.actor}." if plan else ".")]
    if rollout.passages:
        moves = [f"- {passage.member}: {_way(passage.old, passage.new)}" for passage in rollout.passages]
        return [f"Members of rollout {rollout.id}, verdict {rollout.verdict.value}:", *moves]
    if rollout.baseline_number is None:
        return [f"New: {new}; no revision before it is known."]
    old = f"revision {rollout.baseline_number} ({images_text(rollout.baseline_images)})"
    return [f"From {old} to {new}, rollout {rollout.id}, verdict {rollout.verdict.value}."]


def _way(start: Side, end: Side) -> str:
    return f"from {_side(start)} to {_side(end)}"


def _side(side: Side) -> str:
    return f"{side.colour} (revision {side.number}, {images_text(side.images)})"


def _evidence(finding: Finding, policy: Policy) -> str:
    return f"{finding.text} (since {both_times(finding.since, policy.time_zone)})"


def _returned(rollout: RolloutRecord, policy: Policy) -> list[str]:
    """What of the present findings was gone in between."""
    found = {(finding.member, finding.signal) for finding in rollout.findings}
    back = [each for each in rollout.recurrences if each.times > 1 and (each.member, each.signal) in found]
    names = ((f"{each.member}, {each.signal}" if each.member else each.signal, each) for each in back)
    lines = [
        f"{name} comes and goes: for the {_nth(each.times)} time since {both_times(each.first, policy.time_zone)}"
        for name, each in names
    ]
    often = durations.format_(policy.timing.repeat_notice)
    return [*lines, f"That it comes and goes is told at most every {often}."] if lines else []


def _nth(number: int) -> str:
    """The ordinal: 1st, 2nd, 3rd, 4th, 11th."""
    last = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{last}"


def _observed(topic: str, rollout: RolloutRecord) -> list[str]:
    """In mode observe: what would have been done so far, or that it would have been the same."""
    would = [f"Mode observe: {response.sentence()}" for response in rollout.would()]
    if would or rollout.mode is not Mode.OBSERVE or rollout.order or topic not in SAME_IN_EVERY_MODE:
        return would
    return ["Mode observe: nothing else would have been done in mode automatic so far."]


def _next(topic: str, rollout: RolloutRecord | None, unit: UnitRecord) -> list[str]:
    lines = []
    of_set = unit.workload.kind is WorkloadKind.RELEASE_SET
    command = SET_COMMANDS.get(topic, COMMANDS.get(topic)) if of_set else COMMANDS.get(topic)
    if command is not None:
        lines.append(NEXT + command.format(namespace=unit.workload.namespace, name=unit.workload.name))
    if rollout is not None and rollout.incident:
        lines.append(f"{INCIDENT}rollguard incident show {rollout.incident}")
    return lines


def _links(unit: UnitRecord, policy: Policy) -> list[str]:
    lines = []
    if policy.links.dashboard:
        query = f"var-namespace={unit.workload.namespace}&var-workload={unit.workload.name}"
        lines.append(f"{DASHBOARD}{policy.links.dashboard}?{query}")
    if policy.links.runbook:
        lines.append(f"{RUNBOOK}{policy.links.runbook}")
    return lines

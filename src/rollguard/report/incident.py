"""One incident as Markdown: what happened, how long it took, on what evidence, who decided what."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.action import DecisionKind, Plan, StepKind
from rollguard.model.judgement import Finding
from rollguard.model.records import Outcome, Passage, RolloutRecord, Side, TimelineEntry
from rollguard.model.time import Instant
from rollguard.policy.amounts import amount
from rollguard.report.people import answers
from rollguard.report.table import table

EVIDENCE = ("signal", "level", "value", "bound", "since", "measured on", "compared with")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Seconds from the rollout's start; None for what has not happened."""

    to_decision: float | None
    """Until the rollback was planned; where there was none, until the first decision that was not to go on."""
    to_undo: float | None
    """Until the old template was back in the spec; of a release set until the last Service was switched back, and where
    none had to be, until the last step was done."""
    to_recovery: float | None
    """Until the recovery was seen."""


def figures(rollout: RolloutRecord) -> Figures:
    """How long the parts took, read from the plan and the timeline."""
    plan = rollout.plan
    decided = _moments(rollout, "decision")[:1] if plan is None else [plan.created]
    done = plan is not None and plan.done
    recovered = rollout.outcome is Outcome.RECOVERED
    return Figures(
        to_decision=_until(rollout, decided),
        to_undo=_until(rollout, _undone(rollout, plan) if plan is not None and done else []),
        to_recovery=_until(rollout, _moments(rollout, "recovery") if recovered else []),
    )


def cause(rollout: RolloutRecord) -> str:
    """Why it is an incident: the reason of the rollback, else of what was done first (or would have been) that people
    were called for; also after the end has a reason of its own."""
    if rollout.plan is not None:
        return rollout.plan.reason
    called = (response.reason for response in rollout.responses if response.kind is not DecisionKind.WARN)
    return next(called, rollout.why) if rollout.closed is not None else rollout.why


def incident_markdown(rollout: RolloutRecord) -> str:
    """The incident of a rollout as a Markdown page. Times are UTC."""
    title = f"# Incident {rollout.incident or rollout.id}: {rollout.workload}"
    said = answers(rollout)
    sections = [
        title,
        _summary(rollout),
        "## Evidence\n\n" + _evidence(rollout),
        "## What was done\n\n" + _actions(rollout),
        *(["## What people said\n\n" + said] if said else []),
        "## Timeline\n\n" + _timeline(rollout.timeline, rollout.started),
    ]
    return "\n\n".join(sections) + "\n"


def _moments(rollout: RolloutRecord, kind: str) -> list[Instant]:
    return sorted(entry.at for entry in rollout.timeline if entry.kind == kind)


def _undone(rollout: RolloutRecord, plan: Plan) -> list[Instant]:
    switches = [step for step in plan.steps if step.kind is StepKind.SWITCH]
    switched = sorted(step.over_at for step in switches if step.over_at is not None)
    return switched or _moments(rollout, "step")


def _until(rollout: RolloutRecord, moments: list[Instant]) -> float | None:
    """Seconds until the last of them."""
    return moments[-1].since(rollout.started) if moments else None


def _summary(rollout: RolloutRecord) -> str:
    spent = figures(rollout)
    start = "Order" if rollout.order else "Start"
    rows = [
        ("Unit", f"`{rollout.workload}` ({rollout.workload.kind.value})"),
        *(_of_order(rollout) if rollout.order else _of_rollout(rollout)),
        (f"{start} to decision", _seconds(spent.to_decision)),
        (f"{start} to old version restored", _seconds(spent.to_undo)),
        (f"{start} to recovery", _seconds(spent.to_recovery)),
        ("Closed", "open" if rollout.closed is None else rollout.closed.iso()),
    ]
    return table(("", ""), rows)


def _of_rollout(rollout: RolloutRecord) -> list[tuple[str, str]]:
    return [
        *(_versions(rollout) if not rollout.passages else [_passage(passage) for passage in rollout.passages]),
        ("Rollout began", rollout.started.iso()),
        ("Verdict", f"{rollout.verdict.value}: {cause(rollout)}"),
        ("State", _state(rollout)),
        ("Mode", rollout.mode.value),
        *(("Not done, for it only observes", response.sentence()) for response in rollout.would()),
    ]


def _versions(rollout: RolloutRecord) -> list[tuple[str, str]]:
    return [
        ("New version", _version(rollout.target_number, rollout.target_images)),
        ("Version before", _version(rollout.baseline_number, rollout.baseline_images)),
    ]


def _passage(passage: Passage) -> tuple[str, str]:
    return f"Member {passage.member}", f"from {_side(passage.old)} to {_side(passage.new)}"


def _passage_back(passage: Passage) -> tuple[str, str]:
    return f"Member {passage.member}", f"from {_side(passage.new)} back to {_side(passage.old)}"


def _side(side: Side) -> str:
    return f"{side.colour} ({_version(side.number, side.images)})"


def _of_order(rollout: RolloutRecord) -> list[tuple[str, str]]:
    """A person went back while nothing rolled out: nothing was judged, and no mode decided."""
    plan = rollout.plan
    back = _version(plan.target.number, plan.target.images) if plan is not None else "nothing (yet)"
    return [
        *(
            [("What ran", _version(rollout.target_number, rollout.target_images)), ("Put back", back)]
            if not rollout.passages
            else [_passage_back(passage) for passage in rollout.passages]
        ),
        ("Ordered", f"{rollout.started.iso()}, while nothing rolled out"),
        ("By", f"{plan.actor}: {plan.reason}" if plan is not None else "see the timeline"),
        ("State", _state(rollout)),
    ]


def _state(rollout: RolloutRecord) -> str:
    state = rollout.state.value if rollout.outcome is None else rollout.outcome.value
    return state if rollout.why == cause(rollout) else f"{state}: {rollout.why}"


def _version(number: int | None, images: tuple[tuple[str, str], ...]) -> str:
    if number is None:
        return "none known"
    return f"revision {number}: " + ", ".join(f"`{image}`" for _, image in images)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _evidence(rollout: RolloutRecord) -> str:
    if not rollout.findings:
        said = "Nothing was judged: a person ordered it." if rollout.order else "No finding was recorded."
        return said + _saved(rollout)
    of_set = bool(rollout.passages)
    header = (*(("member",) if of_set else ()), *EVIDENCE)
    rows = [(*((finding.member,) if of_set else ()), *_finding_row(finding)) for finding in rollout.findings]
    return table(header, rows) + _saved(rollout)


def _saved(rollout: RolloutRecord) -> str:
    if not rollout.evidence:
        return ""
    saved = "\n".join(f"- `configmap/{name}`" for name in rollout.evidence)
    return f"\n\nPod statuses, events and logs were saved in `{rollout.unit.namespace}`:\n\n{saved}"


def _finding_row(finding: Finding) -> tuple[str, ...]:
    reference = finding.reference
    compared = "nothing" if reference.value is None else f"{reference.source}: {amount(reference.value, finding.unit)}"
    return (
        finding.signal,
        finding.level.value,
        amount(finding.value, finding.unit),
        amount(finding.bound, finding.unit),
        finding.since.iso(),
        finding.arm,
        compared,
    )


def _actions(rollout: RolloutRecord) -> str:
    plan = rollout.plan
    if plan is None:
        return "Nothing was changed in the cluster."
    rows = [
        (str(step.n), step.words, f"{step.target.kind} `{step.target.name}`", step.state.value, step.detail)
        for step in plan.steps
    ]
    back = plan.target.colour or _version(plan.target.number, plan.target.images)
    intro = f"Plan `{plan.id}` by {plan.actor}: back to {back}. {plan.reason}"
    return intro + "\n\n" + table(("step", "what", "object", "state", "detail"), rows)


def _timeline(entries: tuple[TimelineEntry, ...], started: Instant) -> str:
    rows = [
        (entry.at.iso(), f"{_offset(entry.at.since(started))} s", entry.actor, entry.kind, entry.text)
        for entry in entries
    ]
    return table(("time", "after start", "who", "what", "details"), rows)


def _offset(seconds: float) -> str:
    """`+12.3`; an order was given before the rollout that was opened for it."""
    return f"{round(seconds, 1) + 0.0:+.1f}"

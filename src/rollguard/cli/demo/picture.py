"""The upper part of the demo's live screen: the release set with its colours and the plan's steps, and the services."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from rollguard.cli.demo.stage import Cast
from rollguard.cli.demo.users import FEW, MANY, Users
from rollguard.loop import Status
from rollguard.model.action import Plan, Step, StepKind, StepState
from rollguard.model.judgement import LevelReading, Verdict
from rollguard.model.policy import ReleaseSet, SetMember
from rollguard.model.records import LifecycleState, RolloutRecord
from rollguard.model.signals import LevelName
from rollguard.policy.amounts import amount
from rollguard.sim.objects import SimDeployment

VERDICTS = {"healthy": "green", "bad": "bold red", "degraded": "yellow", "blind": "magenta", "undecided": "dim"}
WATCHED = (LifecycleState.WATCHING, LifecycleState.AWAITING_APPROVAL, LifecycleState.HELD)
MARKS = {StepState.DONE: ("✓", "green"), StepState.TRYING: ("…", "bold yellow"), StepState.FAILED: ("✗", "bold red")}
STEP_COLUMNS = 2
SET_WIDTHS = (8, 25, 11, 11, 14)
SERVICE_WIDTHS = (14, 8, 9, 13, 9, 14)
"""At least so wide, so that columns stand still; together they fit into 80."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How everything stands `now`, in simulated seconds since the curtain rose. `rollouts` is the newest of each
    workload, by its name."""

    now: float
    status: Status
    rollouts: dict[str, RolloutRecord]
    cast: Cast
    users: Users

    def verdict(self, name: str) -> Verdict | None:
        """The last one on what is guarded under that name, which is newer than its record's."""
        units = self.status.units
        return next((unit.verdict for unit in units if str(unit.unit).partition("/")[2] == name), None)


def clock(seconds: float) -> str:
    """Minutes and seconds, as `05:40`."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def set_picture(moment: Moment) -> list[RenderableType]:
    """Which colour each Service names, the pods of both, what users see, and the rollback's steps; nothing without a
    set."""
    release_set = moment.cast.release_set
    if release_set is None:
        return []
    rollout = moment.rollouts.get(release_set.name)
    table = Table(expand=True, box=None, pad_edge=False)
    titles = ("MEMBER", "SERVICE -> COLOUR", *(colour.upper() for colour in release_set.colours), "USERS SEE")
    for title, width in zip(titles, SET_WIDTHS, strict=True):
        table.add_column(title, no_wrap=True, min_width=width)
    for member in release_set.members:
        table.add_row(*_member(moment, release_set, member))
    parts: list[RenderableType] = [table, _judged(moment, release_set, rollout)]
    if rollout is not None and rollout.plan is not None:
        parts.append(_steps(rollout.plan))
    return [*parts, Text()]


def _member(moment: Moment, release_set: ReleaseSet, member: SetMember) -> tuple[Text | str, ...]:
    service = moment.cast.services.get(member.service)
    pods = [_pods(moment.cast.deployments[name]) for _, name in member.workloads]
    errors = moment.users.errors(member.name)
    jobs = service is None
    style = "bold red" if (errors or 0.0) > MANY else "green" if (errors or 0.0) < FEW else "yellow"
    seen = Text("-" if errors is None else f"{errors:.1%} {'jobs fail' if jobs else 'errors'}", style=style)
    if service is None:
        return (member.name, Text("takes jobs", style="dim"), *pods, seen)
    colour = service.selector[release_set.selector_key]
    return (member.name, Text(f"{service.name} -> ").append(colour, style=f"bold {colour}"), *pods, seen)


def _pods(deployment: SimDeployment) -> Text:
    """`3 ready, v2`."""
    ready = sum(pod.ready and not pod.deleting for pod in deployment.pods())
    tag = deployment.template.images[0][1].rpartition(":")[2].partition("-")[0]
    return Text(f"{ready} ready, {tag}" if ready else "-", style="" if ready else "dim")


def _judged(moment: Moment, release_set: ReleaseSet, rollout: RolloutRecord | None) -> Text:
    line = Text(f"Release set {release_set.name}: ", style="bold")
    if rollout is None:
        return line.append("nothing rolls out", style="dim")
    state, judged = _stands(rollout, moment.verdict(release_set.name))
    first = rollout.passages[0]
    line.append(f"{first.old.colour} -> {first.new.colour}, verdict ", style="not bold")
    line.append(judged, style=VERDICTS.get(judged, "not bold"))
    return line.append(f", {state}", style="not bold")


def _steps(plan: Plan) -> Table:
    """All steps, down one column and then the next; what would only be done if the plan were given up is left out."""
    table = Table.grid(expand=True, padding=(0, 2))
    steps = [step for step in plan.steps if step.kind is not StepKind.SCALE_BACK or step.state in MARKS]
    rows = -(-len(steps) // STEP_COLUMNS)
    for _ in range(STEP_COLUMNS):
        table.add_column(no_wrap=True)
    for row in range(rows):
        table.add_row(*(_step(step) for step in steps[row::rows]))
    return table


def _step(step: Step) -> Text:
    mark, style = MARKS.get(step.state, ("·", "dim"))
    return Text(f"{mark} {step.n}. {step.words}", style=style)


def services_table(moment: Moment) -> Table:
    """The model services that the story is about."""
    table = Table(expand=True, box=None, pad_edge=False)
    titles = ("MODEL SERVICE", "VERSION", "STATE", "PHASE", "VERDICT", "ERRORS (BOUND)")
    for title, width in zip(titles, SERVICE_WIDTHS, strict=True):
        table.add_column(title, no_wrap=True, min_width=width)
    for name in moment.cast.shown:
        table.add_row(*_service(name, moment.rollouts.get(name), moment.verdict(name)))
    return table


def _service(name: str, rollout: RolloutRecord | None, verdict: Verdict | None) -> tuple[Text | str, ...]:
    if rollout is None:
        return (name, "v1", "steady", "-", "-", "-")
    new = rollout.target_images[0][1].rpartition(":")[2].partition("-")[0]
    state, judged = _stands(rollout, verdict)
    reading = _errors(verdict) if rollout.state in WATCHED else None
    errors = "-" if reading is None or reading.value is None else _value(reading)
    return (name, f"v1 -> {new}", state, rollout.phase.value, Text(judged, style=VERDICTS.get(judged, "")), errors)


def _stands(rollout: RolloutRecord, verdict: Verdict | None) -> tuple[str, str]:
    """(state or outcome, verdict)."""
    state = rollout.state.value if rollout.outcome is None else rollout.outcome.value
    live = verdict is not None and rollout.state in WATCHED
    return state, verdict.kind.value if live and verdict is not None else rollout.verdict.value


def _value(reading: LevelReading) -> str:
    assert reading.value is not None
    return f"{amount(reading.value, reading.unit)} ({amount(reading.bound, reading.unit)})"


def _errors(verdict: Verdict | None) -> LevelReading | None:
    if verdict is None:
        return None
    return next((r for r in verdict.readings if r.signal == "errors" and r.level is LevelName.ROLLBACK), None)

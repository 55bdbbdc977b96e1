"""What the controller says of rollouts: phase, verdict and state, as panels and as marks in time."""

from __future__ import annotations

from rollguard.model.judgement import Phase, VerdictKind
from rollguard.model.policy import Policy
from rollguard.model.records import OWN_UNDO, LifecycleState
from rollguard.render.dashboards.panel import Mark, Panel, PanelKind, Query, Word
from rollguard.render.dashboards.view import View, among, only

ACTIVE = "rollguard_rollout_active"
PHASE = "rollguard_rollout_phase"
VERDICT = "rollguard_rollout_verdict"
STATE = "rollguard_rollout_state"
COLOUR = "rollguard_live_colour"
NO_ROLLOUT = "no rollout"
PHASES = tuple(
    zip([each.value for each in Phase], ("light-blue", "blue", "dark-blue", "text"), strict=True),
)
VERDICTS = (
    (VerdictKind.HEALTHY.value, "green"),
    (VerdictKind.UNDECIDED.value, "blue"),
    (VerdictKind.DEGRADED.value, "yellow"),
    (VerdictKind.BLIND.value, "orange"),
    (VerdictKind.BAD.value, "red"),
)
"""From the best to the worst."""
STATES = (
    (LifecycleState.WATCHING.value, "blue"),
    (LifecycleState.AWAITING_APPROVAL.value, "yellow"),
    (LifecycleState.HELD.value, "orange"),
    (LifecycleState.PLANNED.value, "light-red"),
    (LifecycleState.ACTING.value, "red"),
    (LifecycleState.VERIFYING.value, "purple"),
    (LifecycleState.CLOSED.value, "text"),
)
COLOURS = frozenset({"blue", "green", "orange", "purple", "red", "yellow"})
"""Names of colours that Grafana knows as well."""


def guarded(view: View) -> str:
    """1 for each Deployment that has a rollout under guard, whatever part of its window that is in; 0 for others that
    are guarded by themselves."""
    return f"{view.guard(PHASE)} or {view.guard(ACTIVE)} * 0"


def phases(view: View) -> Panel:
    """In which phase each rollout is."""
    return _timeline(
        view,
        PHASE,
        "phase",
        PHASES,
        title="Phase of the rollout",
        about="Since its start, by the policy's `window`. What is not shown is not under guard.",
    )


def verdicts(view: View) -> Panel:
    """How each rollout is judged."""
    return _timeline(
        view,
        VERDICT,
        "verdict",
        VERDICTS,
        title="Verdict on the rollout",
        about="`kubectl rollguard why` tells the evidence: each level, its value and its bound.",
    )


def states(view: View) -> Panel:
    """What the guard does with each rollout."""
    return _timeline(
        view,
        STATE,
        "state",
        STATES,
        title="What the guard does",
        about="`held`: bad, and an interlock forbids acting alone. `planned`, `acting`, `verifying`: it puts the old "
        "version back.",
    )


def worst(view: View) -> Panel:
    """The worst verdict of now, as one word."""
    coded = view.coded(VERDICT, "verdict", tuple(name for name, _ in VERDICTS))
    return Panel(
        key="worst verdict",
        title="Worst verdict",
        description="Of the rollouts under guard now.",
        kind=PanelKind.STAT,
        unit="short",
        queries=(Query(promql=f"max({coded})", legend="verdict"),),
        words=_numbered(VERDICTS),
        none=NO_ROLLOUT,
        width=6,
        height=4,
    )


def live_colours(view: View, policy: Policy) -> Panel:
    """Which colour of each member of a release set serves."""
    names = tuple(dict.fromkeys(colour for each in policy.release_sets() for colour in each.colours))
    coded = " or ".join(
        f"{view.in_namespace(only(COLOUR, 'colour', name), 'set', 'member')} * {number}"
        for number, name in enumerate(names, start=1)
    )
    shown = tuple((name, name if name in COLOURS else "purple") for name in names)
    return Panel(
        key="live colour",
        title="Blue-green status: the colour that serves",
        description="Of each member of a release set, as the Services' selectors and the pods have it. Nothing while "
        "it is not known.",
        kind=PanelKind.STATES,
        unit="short",
        queries=(Query(promql=coded, legend="{{set}}: {{member}}"),),
        words=_numbered(shown),
        none="not known",
    )


def marks(view: View) -> tuple[Mark, ...]:
    """Rollouts, what is wrong with them, and what is undone."""
    undoing = tuple(each.value for each in OWN_UNDO)
    wrong = tuple(name for name, _ in VERDICTS[2:])
    where = "{{deployment}} in {{namespace}}"
    return (
        Mark(
            name="Rollouts under guard",
            colour="blue",
            promql=f"{view.guard(PHASE)} == 1",
            title="Rollout under guard",
            text=where,
        ),
        Mark(
            name="Verdicts",
            colour="orange",
            promql=f"{view.guard(among(VERDICT, 'verdict', wrong), 'verdict')} == 1",
            title="Verdict: {{verdict}}",
            text=where,
        ),
        Mark(
            name="Rollbacks",
            colour="red",
            promql=f"{view.guard(among(STATE, 'state', undoing), 'state')} == 1",
            title="Rollback: {{state}}",
            text=where,
        ),
    )


def _timeline(
    view: View, series: str, label: str, values: tuple[tuple[str, str], ...], *, title: str, about: str
) -> Panel:
    coded = view.coded(series, label, tuple(name for name, _ in values))
    return Panel(
        key=f"rollout {label}",
        title=title,
        description=about,
        kind=PanelKind.STATES,
        unit="short",
        queries=(Query(promql=coded, legend="{{deployment}}"),),
        words=_numbered(values),
        none=NO_ROLLOUT,
    )


def _numbered(values: tuple[tuple[str, str], ...]) -> tuple[Word, ...]:
    return tuple(
        Word(value=number, text=name.replace("_", " "), colour=colour)
        for number, (name, colour) in enumerate(values, start=1)
    )

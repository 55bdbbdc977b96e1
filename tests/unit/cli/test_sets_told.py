"""What commands and reports say of a release set: colours in place of revisions, and each member by its name."""

from __future__ import annotations

from dataclasses import replace

from rollguard import report
from rollguard.cli import history, status, watch, why
from rollguard.cli.approve import passage as asked_about
from rollguard.model.action import Standing, StepState
from rollguard.model.names import UnitName
from rollguard.model.records import LifecycleState, LiveMember, RolloutRecord, UnitRecord
from rollguard.model.signals import LevelName
from tests.unit.cli.stories import HELD, LOOK, NOW, reading, watched
from tests.unit.records import START, passage, set_record, set_unit, side, unit_record

LATER = START.plus(400)
BACKEND, WORKERS = passage("backend"), passage("workers", "v3", "v4")


def under_watch() -> RolloutRecord:
    """The set on its way to green."""
    members = (reading(LevelName.ROLLBACK, 0.1), reading(LevelName.ROLLBACK, 0.1, value=0.001, reached=False))
    backend, workers = (replace(r, member=m) for r, m in zip(members, ("backend", "workers"), strict=True))
    standings = (
        Standing(name="freeze", forbids=True, reason="this unit is frozen by ana"),
        Standing(name="paused", forbids=False, reason="workers: nothing is paused", member="workers"),
    )
    gaps = (replace(LOOK.gaps[0], member="workers"),)
    return replace(
        set_record(),
        state=LifecycleState.WATCHING,
        outcome=None,
        closed=None,
        plan=None,
        last_look=replace(LOOK, readings=(backend, workers), standings=standings, gaps=gaps),
    )


def cells(unit: UnitRecord, rollout: RolloutRecord | None, *, wide: bool = False) -> dict[str, str]:
    """The unit's row in the table of `status`, by column."""
    header = (*status.HEADER[:-1], *status.WIDE, status.HEADER[-1]) if wide else status.HEADER
    row = status.row(unit, rollout, LATER, wide=wide)
    return dict(zip(header, row, strict=True))


def test_status_names_colours_and_with_wide_each_members_version() -> None:
    unit = replace(set_unit(), current_rollout=set_record().id)
    found = cells(unit, under_watch(), wide=True)
    assert found["REVISION"] == "blue->green"
    assert found["IMAGES"] == "backend=registry.example.com/backend:v2,workers=registry.example.com/workers:v4"


def test_a_set_at_rest_says_which_colour_serves_and_how_its_last_rollout_ended() -> None:
    found = cells(set_unit(), set_record())
    assert found["REVISION"] == "blue"
    assert found["WHY"] == "no good revision known; blue->green, 2026-11-03T02:08:00Z: recovered"
    ahead = LiveMember(member="frontend", side=side("frontend", "green", "v2"))
    assert report.live_colours(replace(set_unit(), live=(*set_unit().live, ahead))) == "blue, frontend: green"


def test_a_deployment_of_a_set_is_told_as_its_colour_also_by_watch() -> None:
    sides = (side("backend", "blue", "v1"), side("backend", "green", "v2"))
    names = [UnitName.of_workload(each.workload) for each in sides]
    colours = [replace(unit_record(), name=name) for name in names]
    page = status.page([set_unit(), *colours], {}, NOW)
    serves, idle = (line for line in page.splitlines() if "in the set platform" in line)
    assert serves.endswith("blue of backend in the set platform, serves")
    assert idle.endswith("green of backend in the set platform, idle")
    shown = watch.coloured(status.rows_of([set_unit(), *colours], {}, NOW))
    assert len(shown.rows) == 3


def test_why_has_a_column_for_the_member_only_of_a_set() -> None:
    page = why.page(under_watch(), LATER)
    assert "  blue -> green, backend v1->v2, workers v3->v4\n" in page
    assert "MEMBER    SIGNAL       LEVEL" in page
    assert "backend   error-rate   rollback   14.8%" in page
    assert "MEMBER    INTERLOCK   STANDS    BECAUSE" in page
    assert "all       freeze      forbids   this unit is frozen by ana" in page
    assert "workers   paused      clear     nothing is paused" in page
    assert "- workers: latency (required): 2 slots" in page
    assert "- backend: error-rate: back inside the bound over the window" in page
    assert "MEMBER" not in why.page(watched(last_look=LOOK), LATER)


def test_why_tells_the_steps_of_the_way_back_and_does_not_call_it_done_before_it_is() -> None:
    record = replace(set_record(), responses=(replace(HELD, kind=HELD.kind.ROLL_BACK),))
    page = why.page(record, LATER)
    assert "1      switch backend-service to blue   done    generation 7" in page
    assert "  rolled back at 2026-11-03T02:05:30Z" in page
    assert record.plan is not None
    down = replace(record.plan.steps[1], state=StepState.PENDING)
    half = replace(record, plan=replace(record.plan, steps=(record.plan.steps[0], down)), closed=None)
    assert "  decided to roll back at 2026-11-03T02:05:30Z" in why.page(half, LATER)


def test_history_names_colours_and_figures_by_member() -> None:
    page = history.page([under_watch()], history.Span(seconds=86400.0, now=NOW), wide=True)
    assert "   blue->green   backend v1->v2, workers v3->v4   " in page
    assert "backend: error-rate 14.8% of 1,234, workers: error-rate 0.1% of 1,234" in page
    same = replace(set_record(), passages=(BACKEND, passage("workers")))
    assert report.images_between(same) == "v1->v2"


def test_an_order_while_nothing_rolled_out_goes_the_other_way() -> None:
    ordered = replace(set_record(), order="rollback-1", baseline=None, baseline_number=None, baseline_images=())
    assert (report.numbers_between(ordered), report.images_between(ordered)) == (
        "green->blue",
        "backend v2->v1, workers v4->v3",
    )
    assert asked_about(ordered) == "production/platform, green -> blue"
    assert (
        "| Member workers | from green (revision 4: `registry.example.com/workers:v4`) back to blue (revision 3: "
        in report.incident_markdown(ordered)
    )


def test_an_incident_tells_members_versions_evidence_and_steps() -> None:
    page = report.incident_markdown(set_record())
    for fact in (
        "| Unit | `production/platform` (ReleaseSet) |",
        "| Member backend | from blue (revision 1: `registry.example.com/backend:v1`) to green (revision 2: ",
        "| member | signal | level |",
        "| backend | error-rate | rollback | 14.8% | 10% |",
        "| 1 | switch backend-service to blue | Service `backend-service` | done |",
        ": back to blue. error-rate 14.8% > 10%",
    ):
        assert fact in page, page


def test_a_set_is_back_when_its_last_service_is_and_not_when_the_bad_colour_is_gone() -> None:
    assert report.figures(set_record()).to_undo == 331.0
    record = set_record()
    assert record.plan is not None
    workers = replace(record, plan=replace(record.plan, steps=record.plan.steps[1:]))
    assert report.figures(workers).to_undo == 331.0, "without a Service the last step that is told counts"

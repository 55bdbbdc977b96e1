"""Whatever happens in between, in whatever order: at most one effective write, and no person's change is lost."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollguard import undo
from rollguard.model.action import Plan
from rollguard.sim.json_patch import JsonObject
from rollguard.sim.template import template_of
from tests.unit.records import START
from tests.unit.undo.server import BAD, FIXED, GOOD, NEW, NEWER, OLD, REF, Server, child, plan_to_restore

TEMPLATES: dict[str, JsonObject] = {"re-apply bad": NEW, "apply fix": FIXED, "apply good": OLD}
BY_HAND = ("undo by hand", "replace by bad")
EVENTS = (
    *TEMPLATES,
    *BY_HAND,
    "scale",
    "pause",
    "resume",
    "freeze",
    "release",
    "lag",
    "catch up",
    "late delivery",
    "expire",
)
GOES = ("answered", "lost on the way", "lost on the way back", "delayed")


class World:
    """The server, an executor that may die or lose answers at any point, and requests still under way."""

    def __init__(self, annotated: bool) -> None:
        self.server = Server(annotations={"team": "dubbing"} if annotated else None)
        self.plan: Plan = plan_to_restore()
        self.now = START.plus(1)
        self.frozen = ""
        self.under_way: list[str] = []
        self.lagging = False

    def play(self, line: str) -> None:
        """One line of a story."""
        if line in GOES:
            self.go(line)
        else:
            self.meet(line)
        if not self.lagging:
            self.server.observe()

    def go(self, fate: str) -> None:
        """Reads, asks and does; the write meets that fate."""
        found = self.server.found()
        answer = undo.next(self.plan, {REF: found}, self.now, frozen=self.frozen)
        if isinstance(answer, undo.MarkDone):
            assert found.template_digest == GOOD.digest
            self.plan = replace(self.plan, steps=(answer.step,))
        if not isinstance(answer, undo.Send):
            return
        assert found.template_digest == BAD.digest
        assert not found.paused
        assert not self.frozen
        assert self.now < self.plan.expires
        assert found.observed_generation == found.generation
        assert found.revision == self.plan.steps[0].revision
        if fate in {"answered", "lost on the way back"}:
            self.server.send(answer.write.patch)
        if fate in {"lost on the way back", "delayed"}:
            self.under_way.append(answer.write.patch)

    def meet(self, event: str) -> None:
        server = self.server
        if event in TEMPLATES:
            server.apply(TEMPLATES[event])
        elif event in BY_HAND:
            # What comes and goes before the controller has seen it leaves no trace but the receipt.
            server.observe()
            server.undo_by_hand() if event == "undo by hand" else server.replace_by(NEW)
        elif event == "scale":
            server.scale(7)
        elif event in {"pause", "resume"}:
            server.pause(event == "pause")
        elif event in {"freeze", "release"}:
            self.frozen = "launch day" if event == "freeze" else ""
        elif event in {"lag", "catch up"}:
            self.lagging = event == "lag"
        elif event == "expire":
            self.now = self.plan.expires
        elif self.under_way:
            server.send(self.under_way.pop(0))


@settings(max_examples=600, deadline=None)
@example(True, ["answered", "re-apply bad", "answered"])
@example(True, ["lost on the way back", "re-apply bad", "late delivery"])
@example(True, ["lost on the way back", "undo by hand", "late delivery", "answered"])
@example(True, ["delayed", "answered", "replace by bad", "late delivery", "answered"])
@example(False, ["lost on the way back", "re-apply bad", "late delivery"])
@example(True, ["delayed", "apply fix", "late delivery"])
@example(True, ["delayed", "scale", "late delivery"])
@given(st.booleans(), st.lists(st.sampled_from((*EVENTS, *GOES)), max_size=25))
def test_at_most_one_write_takes_effect_and_no_newer_template_is_overwritten(annotated: bool, story: list[str]) -> None:
    world = World(annotated)
    for line in story:
        before = template_of(child(world.server.spec, "template")).digest
        replicas = world.server.spec["replicas"]
        world.play(line)
        after = template_of(child(world.server.spec, "template")).digest
        if line in GOES or line == "late delivery":
            assert before == after or (before, after) == (BAD.digest, GOOD.digest)
            assert before != NEWER.digest or after == NEWER.digest
            assert world.server.spec["replicas"] == replicas
        assert world.server.restored <= 1


@settings(max_examples=50, deadline=None)
@given(st.booleans(), st.lists(st.sampled_from((*GOES, "scale", "lag", "late delivery")), max_size=15))
def test_once_faults_stop_the_step_is_done(annotated: bool, story: list[str]) -> None:
    world = World(annotated)
    for line in (*story, "catch up", "answered", "answered"):
        world.play(line)
    assert undo.next(world.plan, {REF: world.server.found()}, world.now, frozen="") == undo.Finished()
    assert world.server.restored == 1

"""What `rollguard wait` makes of a release set: its rollouts tell, for no single Deployment is waited for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.cli import output
from rollguard.cli.waiting import ERROR, HEALTHY, OPEN, UNDONE_LATELY_S, Answer, Wanted, of_rollout
from rollguard.model.records import RolloutRecord, UnitRecord
from rollguard.model.time import Instant

TAKEN_UP_WITHIN_S = 15.0
"""How long the guard may take to see a switch, before a set at rest is the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSeen:
    """One look: the set's unit, its rollouts, and when."""

    unit: UnitRecord
    rollouts: tuple[RolloutRecord, ...]
    now: Instant


def answered_set(wanted: Wanted, seen: SetSeen) -> Answer:
    """The answer to this look: of the open rollout, else of one that ended lately, else of what serves."""
    unit, waited = seen.unit, seen.now.since(wanted.began)
    current = next((record for record in seen.rollouts if record.id == unit.current_rollout), None)
    if current is not None:
        return of_rollout(wanted, current)
    last = max(seen.rollouts, key=lambda record: record.started, default=None)
    if last is not None and last.closed is not None and seen.now.since(last.closed) <= UNDONE_LATELY_S:
        return of_rollout(wanted, last)
    if unit.current_rollout is not None:
        return Answer(line=f"the rollout {unit.current_rollout} was not read yet", at_timeout=ERROR)
    if waited <= TAKEN_UP_WITHIN_S:
        return Answer(line="nothing rolls out (yet)")
    return _at_rest(unit)


def _at_rest(unit: UnitRecord) -> Answer:
    colours = ", ".join(dict.fromkeys(live.side.colour for live in unit.live)) or "nothing known"
    good = {each.digest: each for each in unit.good()}
    known = [good.get(live.side.digest) for live in unit.live]
    since = [each.since for each in known if each is not None]
    if unit.live and len(since) == len(known):
        judged = "judged healthy" if all(each in unit.healthy for each in known) else "adopted, not judged,"
        said = f"no rollout: {colours} serves unchanged, {judged} since {output.moment(max(since))}"
        return Answer(code=HEALTHY, line=said)
    return Answer(code=OPEN, line=f"no rollout: {colours} serves unchanged and is neither judged nor adopted yet")

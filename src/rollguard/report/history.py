"""Many rollouts in a few words: how each ended, on what figures, and what a team would have seen the guard do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rollguard.model.action import DecisionKind
from rollguard.model.judgement import LevelReading
from rollguard.model.records import LifecycleState, Outcome, Response, RolloutRecord, UnitRecord
from rollguard.policy.amounts import amount, counted

WOULD_ROLL_BACK = "would have been rolled back"
WOULD_ASK = "would have been asked about"
HELD = "held"
ORDERED = "put back by order"
ENDS = {
    Outcome.HEALTHY: "healthy",
    Outcome.UNDECIDED: "undecided",
    Outcome.ROLLED_BACK: "rolled back",
    Outcome.RECOVERED: "rolled back",
    Outcome.UNCONFIRMED: "rolled back",
    Outcome.DID_NOT_HELP: "rolled back",
    Outcome.SUPERSEDED: "replaced before a conclusion",
    Outcome.PUT_BACK: "put back by hand",
    Outcome.GONE: "gone with their workload",
    Outcome.HELD: HELD,
}
IN_ORDER = ("healthy", WOULD_ROLL_BACK, WOULD_ASK, "rolled back", ORDERED, HELD, "under way", *ENDS.values())
BECAUSE = 160
"""Characters of a reason in the summary."""


def ending(rollout: RolloutRecord) -> str:
    """How the rollout counts: by what would have been done, else by how it ended or stands."""
    if rollout.order and rollout.plan is not None and rollout.plan.done:
        return ORDERED
    would = {response.kind for response in rollout.would()}
    if would:
        return WOULD_ROLL_BACK if DecisionKind.ROLL_BACK in would else WOULD_ASK
    if rollout.outcome is not None:
        unanswered = (
            rollout.outcome in (Outcome.UNDECIDED, Outcome.SUPERSEDED, Outcome.PUT_BACK) and _hold(rollout) is not None
        )
        return HELD if unanswered else ENDS[rollout.outcome]
    return HELD if rollout.state is LifecycleState.HELD else "under way"


def summary(rollouts: Sequence[RolloutRecord]) -> str:
    """`12 rollouts: 9 healthy, 2 would have been rolled back, 1 held because ...`."""
    ends = Counter(ending(rollout) for rollout in rollouts)
    parts = [f"{ends[name]} {name}" for name in dict.fromkeys(IN_ORDER) if ends[name] and name != HELD]
    others = [r for r in rollouts if r.outcome is Outcome.PUT_BACK and ending(r) != Outcome.PUT_BACK.value]
    holds = [rollout for rollout in rollouts if ending(rollout) == HELD]
    if holds:
        parts.append(f"{len(holds)} held{_because(holds)}")
    if others:
        parts.append(f"of these {len(others)} {Outcome.PUT_BACK.value}")
    return counted(len(rollouts), "rollout") + (f": {', '.join(parts)}" if parts else "")


def _because(holds: Iterable[RolloutRecord]) -> str:
    reasons = list(dict.fromkeys(hold.reason for rollout in holds if (hold := _hold(rollout)) is not None))
    cut = [reason if len(reason) <= BECAUSE else reason[: BECAUSE - 1] + "…" for reason in reasons]
    more = f" (and {len(cut) - 1} other reasons)" if len(cut) > 1 else ""
    return f" because {cut[0]}{more}" if cut else ""


def _hold(rollout: RolloutRecord) -> Response | None:
    return next((response for response in rollout.responses if response.kind is DecisionKind.HOLD), None)


def account(rollout: RolloutRecord) -> str:
    """What was done about it, or would have been, with time and reason; else why it stands as it does."""
    by_hand = [put_back(rollout)] if rollout.outcome is Outcome.PUT_BACK else []
    if rollout.would():
        return "; ".join([*(response.sentence() for response in rollout.would()), *by_hand])
    plan = rollout.plan
    if plan is not None and plan.done:
        return f"rolled back to {plan.target.name} by {plan.actor}: {plan.reason}"
    hold = _hold(rollout)
    if ending(rollout) == HELD and hold is not None:
        return "; ".join([hold.sentence(), *by_hand])
    return by_hand[0] if by_hand else rollout.why


def put_back(rollout: RolloutRecord) -> str:
    """`put back by hand at 2026-11-03T02:05:30Z`: of a rollout that ended so."""
    at = f" at {rollout.closed.iso_second()}" if rollout.closed is not None else ""
    return f"{Outcome.PUT_BACK.value}{at}"


def decisions(rollout: RolloutRecord) -> str:
    """The kinds of decisions in their order: `warn, would roll back`; `continue` where there was no other."""
    said = [f"would {r.kind.value}" if r.would else r.kind.value for r in rollout.responses]
    return ", ".join(said) or DecisionKind.CONTINUE.value


def verdicts(rollout: RolloutRecord) -> str:
    """The verdicts in their order, as far as the story still tells them: `undecided>bad`."""
    told = [entry.text.partition(":")[0].lower() for entry in rollout.timeline if entry.kind == "verdict"]
    return ">".join(told or [rollout.verdict.value])


def figures_of(rollout: RolloutRecord, *, most: int | None = None) -> str:
    """Each signal's value and requests as of the last look: `error-rate 0.2% of 1,204`, of a release set with the
    member before it; `-` where none had traffic."""
    look = rollout.last_look
    best: dict[tuple[str, str], LevelReading] = {}
    for reading in look.readings if look is not None else ():
        known = best.get((reading.member, reading.signal))
        if reading.value is None or not reading.traffic:
            continue
        if known is None or (reading.reached, reading.traffic) > (known.reached, known.traffic):
            best[reading.member, reading.signal] = reading
    ranked = sorted(best.values(), key=lambda reading: not reading.reached)
    said = [
        f"{in_name(r.member, r.signal)} {amount(r.value or 0.0, r.unit)} of {r.traffic:,.0f}" for r in ranked[:most]
    ]
    return ", ".join(said) or "-"


def in_name(member: str, signal: str) -> str:
    """`backend: errors`; the signal alone where it is of no release set."""
    return f"{member}: {signal}" if member else signal


def live_colours(unit: UnitRecord) -> str:
    """Of a release set at rest: the colour that serves, `blue`, or where they differ `blue, frontend: green`: that of
    most members, and each other one. Empty where none is known."""
    colours = Counter(live.side.colour for live in unit.live)
    if not colours:
        return ""
    most = colours.most_common(1)[0][0]
    others = [f"{live.member}: {live.side.colour}" for live in unit.live if live.side.colour != most]
    return ", ".join([most, *others])


def versions(rollout: RolloutRecord) -> str:
    """The images that it brought; of a release set each member's, `backend=registry.example.com/backend:v2`."""
    if not rollout.passages:
        return ",".join(image for _, image in rollout.target_images)
    return ",".join(f"{passage.member}={image}" for passage in rollout.passages for _, image in passage.new.images)


def numbers_between(rollout: RolloutRecord) -> str:
    """`1->2`, the numbers of the revisions; `none->1` for a first one; `blue->green` of a release set. Of an order what
    ran and what it put back."""
    if rollout.passages:
        old, new = rollout.passages[0].old.colour, rollout.passages[0].new.colour
        return f"{new}->{old}" if rollout.order else f"{old}->{new}"
    if rollout.order:
        back = str(rollout.plan.target.number) if rollout.plan is not None else "?"
        return f"{rollout.target_number}->{back}"
    return f"{'none' if rollout.baseline_number is None else rollout.baseline_number}->{rollout.target_number}"


def moved(rollout: RolloutRecord) -> str:
    """`revision 1 -> 2`, or of a release set `blue -> green`."""
    between = numbers_between(rollout).replace("->", " -> ")
    return between if rollout.passages else f"revision {between}"


def images_between(rollout: RolloutRecord) -> str:
    """`v1->v2` where one repository's tag changed, else the changed images in full; only those that changed. Of a
    release set that of all members where it is the same, else of each. Of an order what ran and what it put back."""
    if rollout.passages:
        return _of_members(rollout)
    if rollout.order and rollout.plan is not None:
        return _images(rollout.target_images, rollout.plan.target.images)
    return _images(rollout.baseline_images, rollout.target_images)


def _of_members(rollout: RolloutRecord) -> str:
    changed = {
        p.member: _images(p.new.images, p.old.images) if rollout.order else _images(p.old.images, p.new.images)
        for p in rollout.passages
    }
    same = set(changed.values())
    return same.pop() if len(same) == 1 else ", ".join(f"{member} {images}" for member, images in changed.items())


def _images(old: tuple[tuple[str, str], ...], new: tuple[tuple[str, str], ...]) -> str:
    before, after = dict(old), dict(new)
    if not before:
        return ",".join(after.values())
    changed = [(before.get(name, "-"), after.get(name, "-")) for name in {**before, **after}]
    return ",".join(_between(was, now) for was, now in changed if was != now) or "same images"


def _between(old: str, new: str) -> str:
    (old_name, _, old_tag), (new_name, _, new_tag) = old.rpartition(":"), new.rpartition(":")
    tags = old_name == new_name and bool(old_name) and "/" not in old_tag + new_tag
    return f"{old_tag}->{new_tag}" if tags else f"{old}->{new}"

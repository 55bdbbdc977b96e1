"""The response for a release set: each bad member faces every interlock, the others those that concern what comes back.

The set goes back as one: what forbids it for one member forbids it for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rollguard.decide.deciding import STRICTNESS, decide
from rollguard.decide.interlocks.colour import old_colour
from rollguard.decide.interlocks.every import (
    EVERY,
    IN_PLACE,
    OF_BOTH_COLOURS,
    OF_EVERY_MEMBER,
    OF_THE_SET,
    Interlock,
)
from rollguard.decide.interlocks.no_target import no_target
from rollguard.model.action import Decision, Standing, Target
from rollguard.model.judgement import Verdict, VerdictKind
from rollguard.model.records import Passage
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.observe.members import member_situation
from rollguard.observe.old_colour import target_of, unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A member that changed, and the verdict on it in its own name."""

    passage: Passage
    verdict: Verdict


def decide_set(situation: Situation, judged: tuple[Judged, ...], whole: Verdict, now: Instant) -> Decision:
    """The decision on the set, whose verdict is `whole`; `judged` has one or more members.

    Of several bad members the one that the interlocks hinder least carries the decision.
    """
    bad = [each for each in judged if each.verdict.kind is VerdictKind.BAD]
    decisions = [_decided(situation, each, judged, now) for each in bad or (replace(judged[0], verdict=whole),)]
    decision = min(decisions, key=lambda found: STRICTNESS.get(found.would or found.kind, 0))
    return replace(decision, verdict=whole, target=_target(situation, judged))


def _decided(situation: Situation, one: Judged, judged: tuple[Judged, ...], now: Instant) -> Decision:
    alone = member_situation(situation, one.passage)
    return decide(alone, one.verdict, now, interlocks=_interlocks(situation, one, judged))


def _interlocks(situation: Situation, one: Judged, judged: tuple[Judged, ...]) -> tuple[Interlock, ...]:
    beside = tuple(
        _beside(both if interlock.check in OF_BOTH_COLOURS else alone, other, interlock)
        for other, alone, both in (
            (each, member_situation(situation, each.passage), _of_both(situation, each.passage))
            for each in judged
            if each.passage != one.passage
        )
        for interlock in _faced(situation, other.passage)
        if interlock.check in OF_EVERY_MEMBER
    )
    both = _of_both(situation, one.passage)
    own = tuple(_named(one.passage.member, interlock, both) for interlock in _faced(situation, one.passage))
    return (*own, *beside, _of_set(situation))


def _faced(situation: Situation, passage: Passage) -> tuple[Interlock, ...]:
    """What a member faces. Why its old colour is no way back is said by that alone: that no revision of it is good
    follows from it."""
    aside = {*IN_PLACE, no_target} if unfit(situation.facts, passage) else IN_PLACE
    return tuple(interlock for interlock in EVERY if interlock.check not in aside)


def _of_both(situation: Situation, passage: Passage) -> Situation:
    """The situation of that member's two Deployments, as far as they are there: who applies the one that serves again
    matters as much as who applies the other."""
    found = (situation.facts.member(side.workload) for side in (passage.old, passage.new))
    return replace(situation, facts=replace(situation.facts, members=tuple(each for each in found if each is not None)))


def _of_set(situation: Situation) -> Interlock:
    def check(_situation: Situation, verdict: Verdict, now: Instant) -> Standing:
        return old_colour(situation, verdict, now)

    return Interlock(check=check)


def _beside(alone: Situation, other: Judged, interlock: Interlock) -> Interlock:
    """The interlock, asked of another member of the set, whose own situation is `alone`."""

    def check(_situation: Situation, _verdict: Verdict, now: Instant) -> Standing:
        return _in_name(other.passage.member, interlock.check(alone, other.verdict, now))

    return replace(interlock, check=check)


def _named(member: str, interlock: Interlock, both: Situation) -> Interlock:
    """The interlock, asked of that member, or of `both` its colours; its reason says so where the others are asked the
    same."""

    def check(situation: Situation, verdict: Verdict, now: Instant) -> Standing:
        asked = both if interlock.check in OF_BOTH_COLOURS else situation
        standing = interlock.check(asked, verdict, now)
        if interlock.check in OF_THE_SET:
            return standing
        asked_of_all = interlock.check in OF_EVERY_MEMBER
        return _in_name(member, standing) if asked_of_all else replace(standing, member=member)

    return replace(interlock, check=check)


def _in_name(member: str, standing: Standing) -> Standing:
    return replace(standing, member=member, reason=f"{member}: {standing.reason}")


def _target(situation: Situation, judged: tuple[Judged, ...]) -> Target | None:
    """The old colour as a plan's target; None where it is not a way back for every member."""
    ways = [member_situation(situation, each.passage).way_back() for each in judged]
    good = [way for way in ways if way is not None]
    if len(good) < len(ways):
        return None
    return target_of(judged[0].passage, judged=all(way in situation.unit.healthy for way in good))

"""Changes of a unit's record, as functions of the record: applied again, they change nothing more."""

from __future__ import annotations

from dataclasses import replace

from rollguard.model.names import TemplateHash
from rollguard.model.records import GoodRevision, UnitRecord
from rollguard.model.time import Instant

GOOD = 10
GOOD_OF_MEMBER = 3
"""Of each Deployment of a release set."""
ADOPTED_BEFORE = 3
UNDONE = 10
CONDITION = 300
"""Characters of a condition's message."""
ROLLBACKS = 20
CHARGED = 32


def handled(unit: UnitRecord, request: str) -> UnitRecord:
    """The unit with that request handled."""
    if request in unit.handled_requests:
        return unit
    return replace(unit, handled_requests=(*unit.handled_requests, request))


def with_good(unit: UnitRecord, good: GoodRevision) -> UnitRecord:
    """The unit with that revision judged healthy, as the newest; it is good since it was first judged so."""
    known = next((g for g in unit.healthy if g.digest == good.digest), None)
    if known is not None:
        good = replace(good, since=min(known.since, good.since), saved=good.saved or known.saved)
    others = tuple(g for g in unit.healthy if g.digest != good.digest)
    most = GOOD_OF_MEMBER if good.workload else GOOD
    surplus = [g for g in others if g.workload == good.workload][: -most + 1]
    kept = tuple(g for g in others if g not in surplus)
    return replace(unit, healthy=(*kept, good), undone=_but(unit.undone, good.digest))


def with_adopted(unit: UnitRecord, good: GoodRevision) -> UnitRecord:
    """The unit with that revision adopted; what was adopted before it stays a way back."""
    before = (*unit.adopted_before, *((unit.adopted,) if unit.adopted is not None else ()))
    kept = tuple(one for one in before if one.digest != good.digest)[-ADOPTED_BEFORE:]
    return replace(unit, adopted=good, adopted_before=kept, undone=_but(unit.undone, good.digest))


def with_adopted_side(unit: UnitRecord, good: GoodRevision) -> UnitRecord:
    """The release set with that revision adopted for its Deployment, in place of the one before it."""
    others = tuple(one for one in unit.adopted_before if one.workload != good.workload)
    return replace(unit, adopted_before=(*others, good), undone=_but(unit.undone, good.digest))


def with_undone(unit: UnitRecord, digest: str, at: Instant) -> UnitRecord:
    """The unit that does not go back to the revision of that template: it is undone. What is good anew counts again."""
    adopted = unit.adopted if unit.adopted is not None and unit.adopted.digest != digest else None
    known = any(undone == digest for undone, _at in unit.undone)
    return replace(
        unit,
        healthy=tuple(good for good in unit.healthy if good.digest != digest),
        adopted=adopted,
        adopted_before=tuple(good for good in unit.adopted_before if good.digest != digest),
        undone=unit.undone if known else (*unit.undone, (digest, at))[-UNDONE:],
    )


def _but(undone: tuple[tuple[str, Instant], ...], digest: str) -> tuple[tuple[str, Instant], ...]:
    return tuple(entry for entry in undone if entry[0] != digest)


def with_condition(unit: UnitRecord, type_: str, message: str) -> UnitRecord:
    """The unit with that condition as it began; without it where the message is empty."""
    others = tuple(entry for entry in unit.conditions if entry[0] != type_)
    if bool(message) is (len(others) < len(unit.conditions)):
        return unit
    return replace(unit, conditions=(*others, (type_, message[:CONDITION])) if message else others)


def with_present_condition(unit: UnitRecord, type_: str, message: str) -> UnitRecord:
    """As `with_condition`, but with the message of now."""
    if dict(unit.conditions).get(type_, "") == message[:CONDITION]:
        return unit
    return with_condition(with_condition(unit, type_, ""), type_, message)


def with_rollback(unit: UnitRecord, at: Instant) -> UnitRecord:
    """The unit with an automatic rollback counted, once."""
    if any(abs(at.since(known)) < 0.002 for known in unit.automatic_rollbacks):
        return unit
    return replace(unit, automatic_rollbacks=(*unit.automatic_rollbacks, at)[-ROLLBACKS:])


def with_charged(unit: UnitRecord, uids: tuple[str, ...]) -> UnitRecord:
    """The unit with these failed migrations charged to its rollouts so far."""
    fresh = tuple(uid for uid in uids if uid not in unit.charged_migrations)
    return replace(unit, charged_migrations=(*unit.charged_migrations, *fresh)[-CHARGED:]) if fresh else unit


def with_saved(unit: UnitRecord, hash_: TemplateHash, saved: str) -> UnitRecord:
    """The unit with the name under which that revision's template is kept."""

    def kept(good: GoodRevision) -> GoodRevision:
        return replace(good, saved=saved) if good.hash == hash_ and not good.saved else good

    return replace(
        unit,
        healthy=tuple(kept(good) for good in unit.healthy),
        adopted=kept(unit.adopted) if unit.adopted is not None else None,
        adopted_before=tuple(kept(good) for good in unit.adopted_before),
    )

"""A changed ConfigMap or Secret: the old version would come back to a configuration that it never ran with."""

from __future__ import annotations

from rollguard.decide.interlocks.standing import clear, forbids
from rollguard.model.action import Standing
from rollguard.model.judgement import Verdict
from rollguard.model.records import GoodRevision
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

NAME = "configuration changed"
SHOWN = 5


def config_changed(situation: Situation, _verdict: Verdict, _now: Instant) -> Standing:
    """Forbids where something that the good revision's template refers to is not as it was while that was good.

    What was not seen then, or is not seen now, is no evidence of a change: the reason names it.
    """
    good = situation.way_back()
    if good is None:
        return clear(NAME, "there is no revision to go back to", judging=True)
    seen = situation.facts.config
    now = {name: seen.fingerprint(name) for name, _ in good.config}
    changed = [name for name, was in good.config if now[name] not in (None, was)]
    if changed:
        said = f"{_names(changed)} changed since revision {good.number} was good: it would start with that change"
        return forbids(NAME, said, judging=True)
    unknown = [name for name in _referred(situation, good) if now.get(name) is None]
    said = f"{len(now) - sum(name in now for name in unknown)} of its ConfigMaps and Secrets are as they were"
    if unknown:
        said += f"; not known of {_names(unknown)}: {_why(situation, unknown)}"
    return clear(NAME, said, judging=True)


def _referred(situation: Situation, good: GoodRevision) -> list[str]:
    """What its template refers to, where it is still recorded, and what it referred to as far as that was kept."""
    recorded = (member.revision(good.hash) for member in situation.facts.members)
    templates = (revision.template.config for revision in recorded if revision is not None)
    return sorted({name for name, _ in good.config}.union(*templates))


def _why(situation: Situation, unknown: list[str]) -> str:
    unseen = {name.partition("/")[0] for name in unknown} - situation.facts.config.kinds
    if "Secret" in unseen:
        return "Secrets were not looked at (spec.secrets: none, or no right)"
    if "ConfigMap" in unseen:
        return "ConfigMaps were not looked at"
    return "the guard did not see it when the revision was good"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

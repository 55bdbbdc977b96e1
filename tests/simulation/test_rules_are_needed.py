"""Each rule of the protocol names the invariant that its removal breaks: take it away, and the watchdog sees it."""

from __future__ import annotations

import pytest

from rollguard.sim.network import InvariantBroken
from tests.simulation.alarm_variants import ALARM_VARIANTS
from tests.simulation.harness import Plan, play
from tests.simulation.notice_variants import NOTICE_VARIANTS
from tests.simulation.set_variants import SET_VARIANTS
from tests.simulation.variants import VARIANTS, Variant, applied

pytestmark = pytest.mark.simulation


EVERY = (*VARIANTS, *SET_VARIANTS, *NOTICE_VARIANTS, *ALARM_VARIANTS)


@pytest.mark.parametrize("variant", EVERY, ids=lambda variant: variant.name)
def test_taking_the_rule_away_breaks_its_invariant(variant: Variant) -> None:
    with applied(variant):
        for plan in variant.plans():
            said = _broken(plan, variant)
            if any(words in said for words in variant.breaks):
                break
            assert not said, f"seed {plan.seed} breaks something else: {said}"
        else:
            pytest.fail(f"none of {len(variant.seeds)} seeds notices that {variant.name} is gone")
    play(plan.seed, plan=plan)


def _broken(plan: Plan, variant: Variant) -> str:
    """What the watchdog says of the seed under the variant; empty where it keeps every invariant."""
    said = ""
    try:
        play(plan.seed, plan=plan, wiring=variant.wiring)
    except* InvariantBroken as group:
        said = str(_first(group))
    return said


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""Series that carry a workload only: before against after."""

from __future__ import annotations

from rollguard.judge import JudgeState, judge
from rollguard.model.judgement import Arms, Observation, Rollout, Verdict
from rollguard.model.metrics import Answered, Counts
from rollguard.model.names import RolloutId
from rollguard.observe import slot_at
from tests.unit.judge.building import FIRST, ONLY_ROLLBACK, SECONDS, STARTED, WATCH, key, policy, with_events
from tests.unit.observe.building import NEW, OLD, UNIT


def whole(number: int, bad: int) -> Answered:
    slot = slot_at(number, SECONDS)
    return Answered(
        signal="error-rate", slot=slot, samples=(Counts(key=key(None, None), slot=slot, bad=bad, total=100),)
    )


def verdict(before: int, after: int) -> Verdict:
    now = STARTED.plus(330)
    seen = Observation(
        now=now,
        rollout=Rollout(id=RolloutId("r"), unit=UNIT, started=STARTED, target=NEW, target_number=2, baseline=OLD),
        arms=Arms(new=NEW, reference=None, apart=False),
        facts=with_events((), (), now),
        answers=tuple(whole(FIRST + i, after) for i in range(20)),
        before=tuple(whole(FIRST - 20 + i, before) for i in range(20)),
    )
    return judge(JudgeState.empty(), seen, policy(ONLY_ROLLBACK), WATCH)[1]


def test_all_pods_are_judged_against_the_time_before_and_the_text_says_so() -> None:
    (finding,) = verdict(1, 15).findings
    assert finding.arm == "all pods"
    expected = "error-rate: 15% of 2,000 requests over 5m, bound 10%, on all pods; before the rollout 1%"
    assert finding.text == expected
    assert (finding.reference.not_worse, finding.reference.past_bound) == (False, False)


def test_what_was_past_its_bound_before_is_said_to_be() -> None:
    (finding,) = verdict(20, 15).findings
    assert (finding.reference.not_worse, finding.reference.past_bound) == (True, True)

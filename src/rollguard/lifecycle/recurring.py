"""What comes and goes within one rollout: counted, and told no more often than the policy's interval.

That a hold is over is told at once the first time. Where it comes back, that is a page again, and from then on people
know it as held: that it is over once more is kept back until it has been told nothing for the interval, or the rollout
ends. So a page is never missed, and none is answered by its end a minute later, over and over.
"""

from __future__ import annotations

from rollguard.model.judgement import Finding
from rollguard.model.lifecycle import Tell
from rollguard.model.notices import NoticeClass
from rollguard.model.records import LifecycleState, Recurrence, RolloutRecord
from rollguard.model.time import Instant

HOLD, HOLD_OVER, ASK = "hold", "hold-over", "ask"
MOST = 16


def counted(record: RolloutRecord, findings: tuple[Finding, ...], now: Instant) -> tuple[Recurrence, ...]:
    """How often each has come, where these are found now: what the record does not have among its findings has come
    once more. Another level of the same signal is the same."""
    present = {(finding.member, finding.signal) for finding in record.findings}
    known = {(each.member, each.signal): each for each in record.recurrences}
    for one in dict.fromkeys((finding.member, finding.signal) for finding in findings):
        if one not in present:
            earlier = known.pop(one, None)
            first, times = (earlier.first, earlier.times + 1) if earlier is not None else (now, 1)
            known[one] = Recurrence(member=one[0], signal=one[1], first=first, times=times)
    return tuple(known.values())[-MOST:]


def kept_back(record: RolloutRecord, tell: Tell, interval: float, now: Instant) -> bool:
    """Whether the notice says that a hold is over, and that was told less than the interval ago: it comes and goes."""
    if tell.topic != HOLD_OVER or not tell.anew:
        return False
    return any(now.since(notice.at) < interval for notice in record.notices if notice.topic == HOLD_OVER)


def stands(record: RolloutRecord, tell: Tell) -> bool:
    """Whether people know it as held still, though it was over meanwhile: the hold is not news to them."""
    return tell.topic == HOLD and bool(record.over_untold)


def corrects(tell: Tell) -> bool:
    """Whether what people know is right again once something like that happens, told or not."""
    return tell.topic in (HOLD, ASK)


def over(record: RolloutRecord, interval: float, now: Instant) -> Tell | None:
    """What people are to be told, where a hold has been over, and told nothing of, for the interval, or the rollout
    is closed; None else."""
    if not record.over_untold:
        return None
    told = [notice.at for notice in record.notices if notice.topic in (HOLD, HOLD_OVER)]
    long = not told or now.since(max(told)) >= interval
    if record.state is LifecycleState.CLOSED or (record.state is LifecycleState.WATCHING and long):
        return Tell(class_=NoticeClass.INFO, topic=HOLD_OVER, reason=record.over_untold, anew=True)
    return None

"""Each signal of each watched workload: its present value, or why the guard is blind to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollguard import observe
from rollguard.doctor.blindness import series_missing
from rollguard.doctor.check import Check, Topic
from rollguard.doctor.facts import Facts, SignalSeen
from rollguard.doctor.selection import Selected, selected
from rollguard.doctor.values import edges, present
from rollguard.model.action import Unknown
from rollguard.model.metrics import Answered, Gap, GapCause, NoSnapshot, Sample, Snapshot
from rollguard.model.signals import Signal, SignalKind
from rollguard.observe import PodIndex
from rollguard.policy import durations

GROUP = "signals"

SIGNAL = Topic(
    group=GROUP,
    name="signal",
    about="Each signal of each watched workload has a value and the traffic that its levels need",
    remedy="correct the signal's selector, the labels in `spec.metrics.labels`, or what the pods expose",
)
APART = Topic(
    group=GROUP,
    name="apart",
    about="The series carry the pod: new pods are compared with old ones beside them",
    remedy="have the series carry the pod and name that label in `spec.metrics.labels.pod`; "
    'or set it to "" to judge before against after only',
)
EDGES = Topic(
    group=GROUP,
    name="edges",
    about="A histogram has a bucket edge at each bound of its levels, where its judgement is exact",
    remedy="add a bucket edge at the bound, or move the bound to an edge",
)
TOPICS = (SIGNAL, APART, EDGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One signal as it was asked for, and what its answer comes to."""

    facts: Facts
    signal: Signal
    seen: SignalSeen
    answer: Answered | Gap

    def samples(self, each: Selected) -> list[Sample]:
        """A workload's samples."""
        if isinstance(self.answer, Gap):
            return []
        return [sample for sample in self.answer.samples if sample.key.workload == each.name]


def checks(facts: Facts) -> Iterator[Check]:
    """Nothing is known of signals without the store: then that is said once."""
    if facts.store.problem:
        yield SIGNAL.unknown("all signals", "the metrics store was not reached", "see the check `store`")
        return
    chosen = tuple(selected(facts))
    pods = PodIndex.empty().updated([each.facts for each in chosen if each.facts is not None], (), facts.now)
    for seen in facts.store.signals:
        signal = next(each for each in facts.policy.signals if each.name == seen.signal)
        answer = observe.fold(signal, seen.earlier, seen.later, seen.slot, pods)
        look = _Look(facts=facts, signal=signal, seen=seen, answer=answer)
        if signal.shared:
            yield _shared(look)
            continue
        concerned = [each for each in chosen if each.judged.uses(signal.name) and not each.resting]
        for each in concerned:
            yield _value(look, each)
            if signal.kind is SignalKind.HISTOGRAM:
                yield from _edges(signal, each, edges(look.samples(each)))
        yield from _apart(look, concerned)


def _value(look: _Look, each: Selected) -> Check:
    signal = look.signal
    subject = f"{signal.name} of {each.name}"
    value = present(signal, look.samples(each), look.seen.slot.seconds)
    if value is None:
        return _blind(look, each, subject)
    need = signal.minimum_traffic
    if value.requests is not None and value.requests < need:
        do = f"no level is reached below {need} requests; lower `minimumTraffic`, lengthen `for`, or send more traffic"
        return SIGNAL.warning(subject, f"too little traffic: {value.text}", do, unit=each.unit)
    return SIGNAL.ok(subject, value.text, unit=each.unit)


def _blind(look: _Look, each: Selected, subject: str) -> Check:
    """Why there is no value. Only what is required blinds the guard; only what is missing for good fails."""
    signal, seen = look.signal, look.seen
    if each.seen.workload.desired == 0:
        do = "nothing to do while it is scaled to 0"
        return SIGNAL.warning(subject, "no value, because the workload has no pods", do, unit=each.unit)
    cause, detail = _cause(seen, look.answer, each)
    if cause is None:
        young = f"no value yet: no pod was ready for the whole of {durations.format_(seen.slot.seconds)}"
        return SIGNAL.warning(subject, young, "look again later", unit=each.unit)
    if cause is GapCause.EMPTY:
        detail = series_missing(seen.series, look.facts.policy.metrics, each.name.namespace) or detail
    word = "blind" if signal.required else "no value"
    found = f"{word}, because {detail}"
    if cause in _PASSING:
        return SIGNAL.warning(subject, found, "look again later", unit=each.unit)
    if cause in _UNANSWERED:
        return SIGNAL.unknown(subject, found, unit=each.unit)
    if not signal.required:
        do = f"its levels are never reached; where that is meant, leave `{signal.name}` out of the watch's `signals`"
        return SIGNAL.warning(subject, found, do, unit=each.unit)
    return SIGNAL.failed(subject, found, unit=each.unit)


_PASSING = (GapCause.RESET, GapCause.UNATTRIBUTED)
_UNANSWERED = (GapCause.TIMEOUT, GapCause.UNREACHABLE, GapCause.NOT_ASKED)


def _cause(seen: SignalSeen, answer: Answered | Gap, each: Selected) -> tuple[GapCause | None, str]:
    """The cause and its words; None where the series are there and only too young."""
    if isinstance(seen.earlier, NoSnapshot) and isinstance(seen.later, Snapshot):
        return (None, "") if seen.earlier.cause in (GapCause.EMPTY, GapCause.STALE) else (seen.earlier.cause, "")
    if isinstance(answer, Gap):
        return answer.cause, f"{answer.cause}: {answer.detail}" if answer.detail else answer.cause.value
    causes = [cause for key, cause in answer.pod_gaps if key.workload == each.name]
    if not causes:
        return None, ""
    most = max(set(causes), key=lambda cause: (causes.count(cause), cause.value))
    return most, f"{causes.count(most)} of its pods: {most}"


def _shared(look: _Look) -> Check:
    """A shared signal belongs to no workload: its value is the same for all."""
    signal, answer = look.signal, look.answer
    subject = f"{signal.name} (shared)"
    if isinstance(answer, Answered):
        value = present(signal, answer.samples[:1], look.seen.slot.seconds)
        return SIGNAL.ok(subject, value.text) if value is not None else SIGNAL.warning(subject, "no value")
    word = "blind" if signal.required else "no value"
    found = f"{word}, because {answer.detail or answer.cause.value}"
    return SIGNAL.failed(subject, found) if signal.required else SIGNAL.warning(subject, found)


def _apart(look: _Look, concerned: list[Selected]) -> Iterator[Check]:
    name, label, series = look.signal.name, look.facts.policy.metrics.pod_label, look.seen.series
    if not label:
        do = "to compare new pods with old ones, have the series carry the pod and set `spec.metrics.labels.pod`"
        yield APART.warning(name, "before against after only: the policy names no pod label", do)
        return
    if isinstance(series, Unknown):
        yield APART.unknown(name, series, "look again when the store answers")
        return
    with_pod = dict(series.with_pod)
    for namespace in sorted({each.name.namespace for each in concerned}):
        there = dict(series.by_namespace).get(namespace, 0)
        if there and not with_pod.get(namespace):
            found = f"none of {there} series of {namespace} carries `{label}`"
            yield APART.failed(name, f"{found}: revisions cannot be told apart, and nothing is seen of them")
        elif there:
            yield APART.ok(name, f"series of {namespace} carry `{label}`")


def _edges(signal: Signal, each: Selected, known: frozenset[float]) -> Iterator[Check]:
    """Only of samples: a histogram without any is blind, and that is said already."""
    if not known:
        return
    subject = f"{signal.name} of {each.name}"
    finite = sorted(edge for edge in known if edge != float("inf"))
    inexact = []
    for level in signal.levels:
        if level.bound in finite:
            continue
        beyond = next((edge for edge in finite if edge > level.bound), None)
        bound = durations.format_(level.bound)
        if beyond is None:
            largest = durations.format_(finite[-1]) if finite else "none"
            found = f"level {level.name} can never be reached: no edge at or beyond {bound} (the largest is {largest})"
            yield EDGES.failed(subject, found, unit=each.unit)
        else:
            inexact.append(f"{level.name} at {bound} is judged at {durations.format_(beyond)}")
    if inexact:
        yield EDGES.warning(subject, "; ".join(inexact), unit=each.unit)
    elif finite and all(level.bound in finite for level in signal.levels):
        yield EDGES.ok(subject, "an edge at each bound", unit=each.unit)

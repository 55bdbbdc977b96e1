"""Each failure that doctor knows is named, and a sound cluster is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rollguard.doctor import TOPICS, Check, State, examine
from rollguard.doctor.facts import (
    Autoscaler,
    Channel,
    Facts,
    Installed,
    LeaseSeen,
    Place,
    Presence,
    Replicas,
    RightAnswer,
    SecretFile,
    Series,
    ServerVersion,
    SignalSeen,
    StoreSeen,
    WorkloadSeen,
)
from rollguard.model.action import Absent, Unknown
from rollguard.model.channels import SecretKey
from rollguard.model.destinations import JournalKind, JournalPlace
from rollguard.model.facts import Owner, Tool
from rollguard.model.metrics import GapCause, NoSnapshot
from rollguard.model.names import UnitName
from rollguard.model.policy import Policy
from rollguard.model.records import JOURNAL_UNREACHED, UnitRecord
from tests.unit.doctor import building
from tests.unit.doctor.building import (
    NOW,
    RIGHTS,
    SIGNALS,
    SLOT,
    TEXT,
    UNIT,
    answered,
    everything,
    facts,
    histogram,
    namespace,
    policy,
    ratio,
    seen,
    store,
)
from tests.unit.observe.building import NAME

NOT_ALLOWED = Unknown(detail="403 you may not ask")
OTHER = Installed(kind="CustomResourceDefinition", name="guardedunits.rollguard.dev", presence=Presence.SAME)


def problems(found: Facts) -> list[Check]:
    return [check for check in examine(found) if check.state is not State.OK]


def test_on_a_sound_cluster_nothing_is_found() -> None:
    assert problems(facts()) == []


def test_a_sound_cluster_shows_every_topic_but_the_information() -> None:
    looked_at = {check.name for check in examine(facts())}
    assert {topic.name for topic in TOPICS} - looked_at == {"unwatched", "release-set", "journal", "journal reached"}


def test_values_and_traffic_are_shown() -> None:
    found = {check.subject: check.found for check in examine(facts()) if check.name == "signal"}
    assert found == {
        "errors of production/translation": "0.5% of 1,200 requests in 5m",
        "latency of production/translation": "3.3% of 1,200 requests in 5m took longer than 500ms",
        "memory of production/translation": "42 (highest of 2)",
    }


def a_right(number: int, allowed: bool | Unknown) -> Facts:
    answers = list(facts().rights.answers)
    answers[number] = RightAnswer(permission=RIGHTS[number], namespace="production", allowed=allowed)
    return facts(rights=replace(facts().rights, answers=tuple(answers)))


def installed(**changes: Any) -> Facts:
    return facts(installed=(replace(OTHER, **changes),))


def a_journal(place: JournalPlace) -> Facts:
    return facts(policy=replace(policy(), journal=place))


def journalled(**changes: Any) -> Facts:
    return replace(a_journal(JournalPlace(kind=JournalKind.POSTGRES)), everything=everything(**changes))


def lacking(channel: str, needs: str) -> Facts:
    told = tuple((name, needs if name == channel else known) for name, known in everything().channels)
    return facts(everything=everything(channels=told))


def with_secrets(*keys: SecretKey) -> Policy:
    return replace(policy(), notification_secrets=keys)


def said(found: UnitRecord | Unknown) -> Facts:
    """What the guard says, of a policy that names no key for Alertmanager's pages."""
    return facts(policy=with_secrets(SecretKey.SLACK_WEBHOOK_URL), everything=found)


ALL_OF_PAGERDUTY = (
    SecretKey.PAGERDUTY_API_KEY,
    SecretKey.PAGERDUTY_SERVICE_ID,
    SecretKey.PAGERDUTY_ROUTING_KEY,
)
REST = everything(channels=(("slack-incidents", ""), ("pagerduty", ""), ("pagerduty-events", "`x` in the Secret")))


def guard(**changes: Any) -> Facts:
    return facts(guard=replace(facts().guard, **changes))


def a_workload(**changes: Any) -> Facts:
    spoiled = replace(seen(), workload=replace(seen().workload, **changes))
    return facts(namespaces=(namespace(workloads=(spoiled,)),))


def a_seen(**changes: Any) -> Facts:
    return facts(namespaces=(namespace(workloads=(seen(**changes),)),))


def scaled(**changes: Any) -> Facts:
    scaler = Autoscaler(name="translation", target=NAME, minimum=2, inactive="")
    return facts(namespaces=(namespace(autoscalers=(replace(scaler, **changes),)),))


def signals(*found: SignalSeen) -> Facts:
    named = {each.signal for each in found}
    return facts(store=store(signals=(*found, *(each for each in SIGNALS if each.signal not in named))))


def unseen(
    signal: str = "errors", cause: GapCause = GapCause.EMPTY, series: Series | Unknown | None = None
) -> SignalSeen:
    sound = next(each for each in SIGNALS if each.signal == signal)
    nothing = NoSnapshot(signal=signal, at=SLOT.start, cause=cause, detail="words of the store")
    later = replace(nothing, at=SLOT.end)
    return replace(sound, earlier=nothing, later=later, series=series if series is not None else sound.series)


def series(anywhere: int, here: dict[str, int], with_pod: dict[str, int]) -> Series:
    return Series(
        selector="http_requests_total",
        anywhere=anywhere,
        by_namespace=tuple(here.items()),
        with_pod=tuple(with_pod.items()),
    )


def a_policy(old: str, new: str) -> Facts:
    assert old in TEXT, old
    return facts(policy=policy(TEXT.replace(old, new)))


def elsewhere(found: StoreSeen) -> Facts:
    return facts(place=Place.ELSEWHERE, store=found)


ARGO_CD = Owner(tool=Tool.ARGO_CD, name="shop", namespace="argocd")
HELM = Owner(tool=Tool.HELM, name="shop", namespace="production")
DOWN = store(problem="connection refused")
ONE: dict[str, tuple[Callable[[], Facts], str, State, str]] = {
    "an old server": (
        lambda: facts(version=ServerVersion(major=1, minor=29, text="v1.29.4")),
        "version",
        State.FAILED,
        "v1.29.4 is older than 1.30",
    ),
    "a server without a version": (lambda: facts(version=NOT_ALLOWED), "version", State.UNKNOWN, "403"),
    "no definition": (lambda: installed(presence=Presence.ABSENT), "definitions", State.FAILED, "not there"),
    "another definition": (
        lambda: installed(presence=Presence.DIFFERENT, detail="spec.versions"),
        "definitions",
        State.FAILED,
        "of another version: spec.versions",
    ),
    "a definition not served": (
        lambda: installed(presence=Presence.NOT_SERVED, detail="names are taken"),
        "definitions",
        State.FAILED,
        "not established: names are taken",
    ),
    "a definition that may not be read": (
        lambda: installed(presence=NOT_ALLOWED),
        "definitions",
        State.UNKNOWN,
        "403",
    ),
    "no binding": (
        lambda: installed(kind="ValidatingAdmissionPolicyBinding", presence=Presence.ABSENT),
        "admission",
        State.FAILED,
        "not there",
    ),
    "not enforced": (lambda: facts(enforced=False), "enforced", State.FAILED, "was not refused"),
    "not tried": (lambda: facts(enforced=NOT_ALLOWED), "enforced", State.UNKNOWN, "403"),
    "no account": (
        lambda: facts(rights=replace(facts().rights, account=False)),
        "account",
        State.FAILED,
        "no such account",
    ),
    "an account that may not be read": (
        lambda: facts(rights=replace(facts().rights, account=NOT_ALLOWED)),
        "account",
        State.UNKNOWN,
        "403",
    ),
    "a right is missing": (
        lambda: a_right(0, False),
        "rights",
        State.FAILED,
        "ServiceAccount monitoring/rollguard may not; it is needed: to put an old one back",
    ),
    "a right that was not asked for": (lambda: a_right(1, NOT_ALLOWED), "rights", State.UNKNOWN, "403"),
    "nobody leads": (lambda: guard(lease=Absent()), "leader", State.FAILED, "nobody holds it"),
    "a Lease given back": (
        lambda: guard(lease=LeaseSeen(holder="", renewed=NOW)),
        "leader",
        State.FAILED,
        "nobody holds it",
    ),
    "a dead leader": (
        lambda: guard(lease=LeaseSeen(holder="monitoring-1", renewed=NOW.plus(-600.0))),
        "leader",
        State.FAILED,
        "renewed it last 10m ago",
    ),
    "a Lease that may not be read": (lambda: guard(lease=NOT_ALLOWED), "leader", State.UNKNOWN, "403"),
    "no replica is ready": (
        lambda: guard(deployment=Replicas(name="monitoring", wanted=2, ready=0)),
        "controller",
        State.FAILED,
        "0 of 2 replicas",
    ),
    "one replica is ready": (
        lambda: guard(deployment=Replicas(name="monitoring", wanted=2, ready=1)),
        "controller",
        State.WARNING,
        "1 of 2 replicas",
    ),
    "two replicas with a journal in a file": (
        lambda: a_journal(JournalPlace(kind=JournalKind.SQLITE, path="/var/lib/rollguard/journal.db")),
        "journal",
        State.FAILED,
        "2 replicas would write to it",
    ),
    "the server's clock": (lambda: facts(server_offset=-31.0), "clock", State.FAILED, "31.0 s behind the guard"),
    "the store's clock": (lambda: facts(store=store(offset=45.2)), "clock", State.FAILED, "45.2 s ahead of the guard"),
    "no clock": (lambda: facts(server_offset=None), "clock", State.UNKNOWN, "gave no time"),
    "no namespace": (
        lambda: facts(namespaces=(namespace(exists=False, workloads=(), autoscalers=(), units=()),)),
        "namespace",
        State.FAILED,
        "no such namespace",
    ),
    "a name that is not there": (
        lambda: a_policy("[translation]", "[translation, lipsync]"),
        "watch",
        State.FAILED,
        "no Deployment production/lipsync",
    ),
    "a selector that matches nothing": (
        lambda: a_policy("workloads: [translation]", "selector: {matchLabels: {app: x}}"),
        "watch",
        State.FAILED,
        "no Deployment of production has the labels app=x",
    ),
    "history 0": (lambda: a_seen(history_limit=0), "history", State.WARNING, "revisionHistoryLimit 0"),
    "history 1": (lambda: a_seen(history_limit=1), "history", State.WARNING, "revisionHistoryLimit 1"),
    "paused": (lambda: a_workload(paused=True), "paused", State.FAILED, "every rollback is held"),
    "Recreate": (lambda: a_workload(strategy="Recreate"), "strategy", State.WARNING, "only by approval"),
    "one replica": (lambda: a_workload(desired=1), "replicas", State.WARNING, "one replica"),
    "no probe": (lambda: a_seen(unprobed=("app",)), "probes", State.WARNING, "no readiness probe: app"),
    "a unit that nobody has seen": (lambda: facts(units=()), "way-back", State.WARNING, "has not seen it"),
    "a unit without a good revision": (
        lambda: facts(units=(UnitRecord(name=UNIT, workload=NAME),)),
        "way-back",
        State.WARNING,
        "no way back yet",
    ),
    "records that may not be read": (lambda: facts(units=NOT_ALLOWED), "way-back", State.UNKNOWN, "403"),
    "minReplicas 0": (lambda: scaled(minimum=0), "autoscaler", State.WARNING, "minReplicas 0"),
    "an autoscaler that does not scale": (
        lambda: scaled(inactive="no metrics"),
        "autoscaler",
        State.WARNING,
        "does not scale: no metrics",
    ),
    "autoscalers that may not be read": (
        lambda: facts(namespaces=(namespace(autoscalers=NOT_ALLOWED),)),
        "autoscaler",
        State.UNKNOWN,
        "403",
    ),
    "a GitOps owner": (
        lambda: a_workload(owners=(ARGO_CD,)),
        "owner",
        State.WARNING,
        "Argo CD argocd/shop owns it: every rollback is held",
    ),
    "a Helm release that is not seen": (
        lambda: a_workload(owners=(HELM,)),
        "owner",
        State.WARNING,
        "Helm production/shop owns it, and its state cannot be seen",
    ),
    "a longer interval": (
        lambda: facts(store=store(interval=30.0)),
        "interval",
        State.FAILED,
        "every 30s, the policy says 15s",
    ),
    "a shorter interval": (lambda: facts(store=store(interval=5.0)), "interval", State.WARNING, "every 5s"),
    "no interval": (lambda: facts(store=store(interval=None)), "interval", State.UNKNOWN, "no samples"),
    "an interval that was not told": (
        lambda: facts(store=store(interval=NOT_ALLOWED)),
        "interval",
        State.UNKNOWN,
        "403",
    ),
    "no series": (
        lambda: signals(unseen(series=series(0, {}, {}))),
        "signal",
        State.FAILED,
        "blind, because the store has no series of http_requests_total",
    ),
    "series without namespaces": (
        lambda: signals(unseen(series=series(4, {"": 4}, {}))),
        "signal",
        State.FAILED,
        "none of 4 series of http_requests_total carries the label `namespace`",
    ),
    "series of other namespaces": (
        lambda: signals(unseen(series=series(4, {"dev": 4}, {"dev": 4}))),
        "signal",
        State.FAILED,
        'none of 4 series of http_requests_total has namespace="production"',
    ),
    "series of other workloads": (
        lambda: signals(unseen(series=series(4, {"production": 4}, {"production": 4}))),
        "signal",
        State.FAILED,
        "names this workload in `pod`",
    ),
    "stale series": (lambda: signals(unseen(cause=GapCause.STALE)), "signal", State.FAILED, "words of the store"),
    "a signal without an answer": (
        lambda: signals(unseen(cause=GapCause.TIMEOUT)),
        "signal",
        State.UNKNOWN,
        "blind, because timeout",
    ),
    "an optional signal": (
        lambda: signals(unseen("memory", series=series(0, {}, {}))),
        "signal",
        State.WARNING,
        "no value, because the store has no series",
    ),
    "young series": (
        lambda: signals(replace(unseen(), later=SIGNALS[0].later)),
        "signal",
        State.WARNING,
        "no value yet",
    ),
    "little traffic": (
        lambda: signals(answered("errors", ratio(100, 0), ratio(105, 0))),
        "signal",
        State.WARNING,
        "too little traffic: 0% of 10 requests in 5m",
    ),
    "no pod label in the policy": (
        lambda: a_policy('9090"}', '9090", labels: {pod: ""}}'),
        "apart",
        State.WARNING,
        "before against after only",
    ),
    "series without a pod": (
        lambda: signals(replace(SIGNALS[0], series=series(4, {"production": 4}, {}))),
        "apart",
        State.FAILED,
        "none of 4 series of production carries `pod`",
    ),
    "series that were not counted": (
        lambda: signals(replace(SIGNALS[0], series=NOT_ALLOWED)),
        "apart",
        State.UNKNOWN,
        "403",
    ),
    "no edge at a bound": (
        lambda: a_policy("p95: 5s", "p95: 4s"),
        "edges",
        State.WARNING,
        "rollback at 4s is judged at 5s",
    ),
    "no edge beyond a bound": (
        lambda: a_policy("p95: 5s", "p95: 20s"),
        "edges",
        State.FAILED,
        "level rollback can never be reached: no edge at or beyond 20s (the largest is 10s)",
    ),
    "a file that cannot be read": (
        lambda: facts(files=(SecretFile(path="/s", purpose="token", problem="Permission denied"),)),
        "file",
        State.FAILED,
        "Permission denied",
    ),
    "a file that is not here": (
        lambda: facts(place=Place.ELSEWHERE, files=(SecretFile(path="/s", purpose="token", problem="No such file"),)),
        "file",
        State.UNKNOWN,
        "not on this machine",
    ),
    "a dead channel": (
        lambda: facts(channels=(Channel(name="hook", host="h", problem="connection refused"),)),
        "channel",
        State.FAILED,
        "connection refused",
    ),
    "a key that the policy names and the Secret has not": (
        lambda: lacking("slack-incidents", "`slack-webhook-url` in the Secret"),
        "set up",
        State.WARNING,
        "needs `slack-webhook-url` in the Secret",
    ),
    "nobody who is told": (
        lambda: facts(everything=everything(channels=(("email", "`notify.email` in the policy"),))),
        "set up",
        State.WARNING,
        "none is set up: notices go to the guard's log alone",
    ),
    "a guard that has not said it": (
        lambda: said(everything(channels=())),
        "set up",
        State.UNKNOWN,
        "the guard has not said it yet",
    ),
    "a guard whose word may not be read": (lambda: said(NOT_ALLOWED), "set up", State.UNKNOWN, "403 you may not ask"),
    "REST keys alone": (
        lambda: facts(policy=with_secrets(*ALL_OF_PAGERDUTY[:2]), everything=REST),
        "alertmanager",
        State.WARNING,
        "with the guard dead Alertmanager cannot page",
    ),
    "a journal that is away": (
        lambda: journalled(journal_reached=False, conditions=((JOURNAL_UNREACHED, "connection refused"),)),
        "journal reached",
        State.WARNING,
        "connection refused",
    ),
    "a journal that the guard has not taken up": (
        lambda: journalled(journal_reached=None),
        "journal reached",
        State.UNKNOWN,
        "has not asked it yet",
    ),
}


@pytest.mark.parametrize("case", ONE)
def test_what_is_wrong_is_named_with_what_to_do(case: str) -> None:
    spoil, name, state, words = ONE[case]
    found = problems(spoil())
    named = [check for check in found if check.name == name]
    assert [check.state for check in named][:1] == [state], found
    assert words in named[0].found
    assert named[0].what_to_do
    assert len({check.name for check in found}) == 1, found


def test_each_topic_has_a_case_that_shows_it_named() -> None:
    named = {name for _spoil, name, _state, _words in ONE.values()} | {"store", "unwatched", "release-set"}
    assert named == {topic.name for topic in TOPICS}


def test_without_the_store_nothing_is_said_of_signals_but_that() -> None:
    found = problems(facts(store=DOWN))
    assert [(check.name, check.state) for check in found] == [("store", State.FAILED), ("signal", State.UNKNOWN)]


def test_an_address_that_only_the_cluster_reaches_is_no_failure_from_elsewhere() -> None:
    inside = replace(DOWN, inside=True)
    (first, *_) = problems(elsewhere(inside))
    assert (first.name, first.state) == ("store", State.UNKNOWN)
    assert first.found.startswith("only the cluster reaches it")
    (first, *_) = problems(facts(store=inside))
    assert (first.name, first.state) == ("store", State.FAILED)


def test_through_the_api_server_it_is_said_that_only_the_cluster_reaches_the_store() -> None:
    found = elsewhere(store(inside=True, proxied=True))
    assert "only the cluster reaches its address" in next(c.found for c in examine(found) if c.name == "store")
    assert problems(found) == []


def test_two_replicas_may_have_a_journal_in_a_database_and_one_may_have_it_in_a_file() -> None:
    database, file = JournalPlace(kind=JournalKind.POSTGRES), JournalPlace(kind=JournalKind.SQLITE, path="/d/j.db")
    one = replace(a_journal(file).guard, deployment=Replicas(name="monitoring", wanted=1, ready=1))
    assert problems(a_journal(database)) == []
    assert problems(replace(a_journal(file), guard=one)) == []


def test_a_guard_that_runs_elsewhere_is_no_failure_and_no_guard_at_all_is() -> None:
    assert problems(guard(deployment=Absent())) == []
    names = [check.name for check in problems(guard(deployment=Absent(), lease=Absent()))]
    assert names == ["leader", "controller"]


def test_a_namespace_that_may_not_be_listed_is_unknown_and_no_watch_is_accused() -> None:
    hidden = namespace(workloads=NOT_ALLOWED, units=NOT_ALLOWED, autoscalers=())
    found = problems(facts(namespaces=(hidden,)))
    assert [(check.name, check.state) for check in found] == [("namespace", State.UNKNOWN)]


def test_a_workload_at_zero_is_told_with_its_autoscaler_and_its_signals() -> None:
    found = problems(a_workload(desired=0))
    assert {check.state for check in found} == {State.WARNING}
    assert {check.name for check in found} >= {"replicas", "autoscaler"}


def test_a_channel_that_the_policy_does_not_ask_for_may_be_missing_and_is_named_with_what_it_needs() -> None:
    found = [(each.subject, each.state, each.found) for each in examine(facts()) if each.name == "set up"]
    assert found == [
        ("slack-incidents, pagerduty-events, hook", State.OK, "set up"),
        ("pagerduty", State.OK, "not asked for: needs `pagerduty-api-key` in the Secret"),
        ("email", State.OK, "not asked for: needs `notify.email` in the policy"),
    ]


def test_a_pagerduty_that_lacks_only_the_sender_in_the_policy_is_a_warning() -> None:
    told = (("slack-incidents", ""), ("pagerduty", "`notify.pagerduty.from` in the policy"), ("pagerduty-events", ""))
    found = facts(policy=with_secrets(*ALL_OF_PAGERDUTY), everything=everything(channels=told))
    assert [(check.name, check.state) for check in problems(found)] == [("set up", State.WARNING)]


def test_a_routing_key_that_the_policy_names_and_the_secret_has_not_is_a_warning_about_alertmanager() -> None:
    found = problems(lacking("pagerduty-events", "`pagerduty-routing-key` in the Secret"))
    assert [(check.name, check.state) for check in found] == [
        ("set up", State.WARNING),
        ("alertmanager", State.WARNING),
    ]


def test_without_a_leader_nothing_is_said_of_channels_and_journal_but_what_the_policy_says() -> None:
    policy = with_secrets(*ALL_OF_PAGERDUTY[:2])
    found = problems(replace(guard(lease=Absent()), policy=policy))
    assert [check.name for check in found] == ["leader", "alertmanager"]


def test_workloads_that_no_watch_selects_are_an_information() -> None:
    def another(name: str, *annotations: tuple[str, str]) -> WorkloadSeen:
        workload = replace(seen().workload, name=replace(NAME, name=name), annotations=annotations)
        return replace(seen(), workload=workload)

    there = (seen(), another("cache"), another("batch", ("rollguard.dev/guard", "off")))
    found = facts(namespaces=(namespace(workloads=there),))
    assert problems(found) == []
    told = next(check for check in examine(found) if check.name == "unwatched")
    assert told.found == "not watched: cache; opted out: batch"


@pytest.mark.parametrize(
    ("owner", "key"), [(ARGO_CD, "gitops: ignore"), (HELM, "helm: ignore"), (HELM, "secrets: metadata")]
)
def test_an_owner_that_the_policy_deals_with_is_no_problem(owner: Owner, key: str) -> None:
    found = replace(a_workload(owners=(owner,)), policy=policy(f"{TEXT}  {key}\n"))
    assert problems(found) == []
    assert "shop owns it" in next(check.found for check in examine(found) if check.name == "owner")


def test_what_concerns_a_unit_names_it() -> None:
    (check,) = problems(a_workload(paused=True))
    assert check.unit == UNIT == UnitName("production", "deployment-translation")


def test_a_histogram_whose_edges_differ_is_judged_by_those_that_all_pods_have() -> None:
    first, second = building.histogram(1, 1, 1, 1, 1), histogram(90, 95, 99, 100, 100)
    sound = answered("latency", first, second)
    assert not isinstance(sound.later, NoSnapshot)
    assert not isinstance(sound.earlier, NoSnapshot)

    def without(edge: str, end: str) -> Any:
        snapshot = getattr(sound, end)
        one, two = snapshot.readings
        fewer = replace(two, values=tuple(value for value in two.values if value[1] != edge))
        return replace(snapshot, readings=(one, fewer))

    spoiled = replace(sound, earlier=without("5", "earlier"), later=without("5", "later"))
    (check,) = problems(signals(spoiled))
    assert (check.name, check.found) == ("edges", "rollback at 5s is judged at 10s")


def test_whether_orders_are_checked_is_not_asked_while_their_definition_is_missing() -> None:
    missing = replace(installed(presence=Presence.ABSENT), enforced=NOT_ALLOWED)
    assert "enforced" not in {check.name for check in examine(missing)}


def test_an_integrations_key_that_is_empty_is_told_as_that_and_not_as_missing() -> None:
    found = problems(lacking("pagerduty-events", "`pagerduty-routing-key` in the Secret (it is empty)"))
    words = "needs `pagerduty-routing-key` in the Secret (it is empty): Alertmanager cannot page"
    assert words in [check.found for check in found if check.name == "alertmanager"]

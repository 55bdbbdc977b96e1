"""What doctor says of a release set: of the set itself, and of its colours, live and idle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rollguard.doctor import Check, State, examine
from rollguard.doctor.facts import Autoscaler, Facts, WorkloadSeen
from rollguard.model.action import Unknown
from rollguard.model.facts import Autoscaler as Scaler
from rollguard.model.names import TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.records import LiveMember, Side, UnitRecord
from rollguard.policy.ground import DeploymentSeen, Ground
from tests.unit.doctor import building
from tests.unit.doctor.building import GOOD, TEXT, facts, namespace, policy, seen

SET_TEXT = TEXT.replace(
    "    - {name: models, namespace: production, workloads: [translation]}\n",
    """\
    - name: platform
      namespace: production
      mode: automatic
      releaseSet:
        selectorKey: version
        colours: [blue, green]
        members:
          - {name: backend, service: backend-service}
          - {name: workers, signals: [memory]}
""",
)
UNIT = UnitName("production", "releaseset-platform")
NAMES = ("backend-blue", "backend-green", "workers-blue", "workers-green")


def named(name: str) -> WorkloadName:
    return WorkloadName("production", WorkloadKind.DEPLOYMENT, name)


def a_colour(name: str, **changes: Any) -> WorkloadSeen:
    found = seen()
    return replace(found, workload=replace(found.workload, name=named(name), **changes))


def ground(**changes: Any) -> Ground:
    found = Ground(
        deployments=tuple(
            DeploymentSeen(name=name, pod_labels=(("app", name.split("-")[0]), ("version", name.split("-")[1])), pods=2)
            for name in NAMES
        ),
        services=(("backend-service", (("app", "backend"), ("version", "blue"))),),
        autoscalers=(),
    )
    return replace(found, **changes)


def hpa(workload: str, maximum: int) -> Scaler:
    return Scaler(namespace="production", name="hpa", uid="u", workload=named(workload), minimum=1, maximum=maximum)


def live(member: str, digest: str = GOOD.digest) -> LiveMember:
    name = f"{member}-blue"
    side = Side(
        colour="blue", workload=named(name), uid="u", hash=TemplateHash("h"), number=1, digest=digest, images=()
    )
    return LiveMember(member=member, side=side)


def record(**changes: Any) -> UnitRecord:
    good = tuple(replace(GOOD, workload=f"{member}-blue") for member in ("backend", "workers"))
    plain = UnitRecord(
        name=UNIT,
        workload=WorkloadName("production", WorkloadKind.RELEASE_SET, "platform"),
        healthy=good,
        live=(live("backend"), live("workers")),
    )
    return replace(plain, **changes)


def with_set(*workloads: WorkloadSeen, **changes: Any) -> Facts:
    """A sound cluster with the set: blue is live, green stands by with as many pods but for idle workers."""
    named_ = {each.workload.name.name: each for each in workloads}
    colours = {name: a_colour(name) for name in NAMES} | {
        "workers-green": a_colour("workers-green", desired=0, total=0)
    }
    there = namespace(
        workloads=tuple((colours | named_).values()),
        autoscalers=changes.pop("autoscalers", ()),
        units=(),
        ground=changes.pop("ground", ground()),
    )
    return facts(policy=policy(SET_TEXT), namespaces=(there,), units=changes.pop("units", (record(),)), **changes)


def about(found: Facts, name: str) -> list[Check]:
    return [check for check in examine(found) if check.name == name]


def only(found: Facts, name: str) -> Check:
    (check,) = about(found, name)
    return check


def test_a_sound_set_says_which_colour_is_live() -> None:
    check = only(with_set(), "release-set")
    assert (check.state, check.subject, check.found) == (State.OK, "platform", "blue is live: backend-service")
    assert check.unit == UNIT


def test_a_sound_set_has_no_findings_of_its_workloads() -> None:
    wrong = [check for check in examine(with_set()) if check.group == "workloads" and check.state is not State.OK]
    assert wrong == []


def test_what_is_not_there_fails_and_what_is_there_but_too_small_warns() -> None:
    found = ground(services=(), autoscalers=(hpa("backend-green", 1),))
    checks = about(with_set(ground=found), "release-set")
    assert [(check.state, check.found) for check in checks] == [
        (State.WARNING, "its autoscaler hpa lets backend-green have 1 pod, and backend-blue has 2 pods"),
        (State.FAILED, "there is no Service production/backend-service"),
    ]
    assert "expected maxReplicas of 2 or more in hpa" in checks[0].what_to_do


def test_what_cannot_be_listed_is_unknown() -> None:
    check = only(with_set(ground=Unknown(detail="services of production: 403 no")), "release-set")
    assert (check.state, check.found) == (State.UNKNOWN, "services of production: 403 no")


def test_signals_are_looked_for_on_the_live_colour_by_its_members_and_on_the_idle_one_by_what_it_uses() -> None:
    looked = {check.subject for check in about(with_set(), "signal")}
    assert looked == {
        "errors of production/backend-blue",
        "latency of production/backend-blue",
        "memory of production/backend-blue",
        "memory of production/backend-green",
        "memory of production/workers-blue",
    }


def test_the_live_colour_is_held_to_what_every_workload_is() -> None:
    found = with_set(a_colour("backend-blue", desired=0), a_colour("backend-green", desired=0))
    wrong = [check for check in about(found, "replicas") if check.state is not State.OK]
    assert [check.subject for check in wrong] == ["production/backend-blue"]


def test_the_autoscaler_of_an_idle_colour_at_none_is_off_by_right() -> None:
    scalers = tuple(Autoscaler(name=name, target=named(name), minimum=2, inactive="") for name in NAMES)
    states = {check.subject.split("/")[1]: check for check in about(with_set(autoscalers=scalers), "autoscaler")}
    assert {check.state for check in states.values()} == {State.OK}
    assert states["workers-green"].found == "is off while the colour is idle at 0 replicas"


def test_a_live_version_that_was_never_good_is_no_way_back() -> None:
    found = with_set(units=(record(live=(live("backend", "other"), live("workers"))),))
    check = only(found, "way-back")
    assert (check.state, check.subject, check.unit) == (State.WARNING, "production/platform", UNIT)
    assert check.found.startswith("no way back yet to what is live: backend-blue was not judged healthy")
    assert only(with_set(), "way-back").state is State.OK
    assert only(with_set(units=()), "way-back").found == "no way back yet: the guard has not seen it"


def test_a_policy_without_sets_says_nothing_of_them() -> None:
    assert about(building.facts(), "release-set") == []

"""Facts, pods and readings for tests of observing and judging."""

from __future__ import annotations

from rollguard.model.facts import Condition, Container, Pod, Revision, Template, UnitFacts, Workload
from rollguard.model.metrics import Reading, Snapshot
from rollguard.model.names import TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.signals import Level, LevelName, Signal, SignalKind
from rollguard.model.time import Instant, Slot
from rollguard.observe import PodIndex, slot_at

NAME = WorkloadName("production", WorkloadKind.DEPLOYMENT, "translation")
UNIT = UnitName.of_workload(NAME)
OLD, NEW, NEWER = TemplateHash("old111"), TemplateHash("new222"), TemplateHash("newer333")
UID = "0a1b2c3d-4444-5555-6666-777788889999"
NOW = Instant(100_000.0)
LONG_AGO = Instant(1_000.0)
SLOT = slot_at(100, 15.0)


def template(version: str) -> Template:
    return Template(
        body=f'{{"v":"{version}"}}',
        digest=f"digest-{version}",
        bare_digest=f"bare-{version}",
        images=(("app", f"registry.example.com/translation:{version}"),),
    )


def revision(hash_: TemplateHash, number: int, *, replicas: int = 0, created: Instant = LONG_AGO) -> Revision:
    return Revision(
        hash=hash_,
        number=number,
        uid=f"rs-{hash_}",
        created=created,
        template=template(hash_),
        replicas=replicas,
        ready=replicas,
    )


def container(
    *,
    name: str = "app",
    image: str = "registry.example.com/translation:v2",
    restarts: int = 0,
    exit_code: int | None = None,
    finished_at: Instant | None = None,
    waiting_reason: str = "",
    waiting_message: str = "",
    in_template: bool = True,
    init: bool = False,
    image_id: str = "sha256:1",
) -> Container:
    return Container(
        name=name,
        in_template=in_template,
        init=init,
        image=image,
        image_id=image_id,
        ready=not waiting_reason,
        restarts=restarts,
        waiting_reason=waiting_reason,
        waiting_message=waiting_message,
        exit_code=exit_code,
        finished_at=finished_at,
    )


def pod(
    name: str,
    revision: TemplateHash | None = NEW,
    *,
    ready_since: Instant | None = LONG_AGO,
    node: str = "node-a",
    deleting: bool = False,
    created: Instant = LONG_AGO,
    workload: WorkloadName = NAME,
    containers: tuple[Container, ...] = (),
) -> Pod:
    return Pod(
        name=name,
        uid=f"uid-{name}",
        workload=workload,
        revision=revision,
        node=node,
        phase="Running",
        created=created,
        ready=ready_since is not None,
        ready_since=ready_since,
        deleting=deleting,
        containers=containers or (container(),),
    )


def workload(
    *revisions: Revision,
    target: TemplateHash,
    desired: int = 2,
    updated: int = 2,
    available: int = 2,
    total: int = 2,
    generation: int = 2,
    observed: int = 2,
    progressing: Condition | None = None,
    name: WorkloadName = NAME,
    uid: str = UID,
    labels: tuple[tuple[str, str], ...] = (),
) -> Workload:
    return Workload(
        name=name,
        uid=uid,
        created=LONG_AGO,
        generation=generation,
        observed_generation=observed,
        paused=False,
        strategy="RollingUpdate",
        desired=desired,
        total=total,
        updated=updated,
        ready=available,
        available=available,
        template=template(target),
        revisions=revisions,
        conditions=(progressing,) if progressing else (),
        labels=labels,
        annotations=(),
    )


def facts(*members: Workload, pods: tuple[Pod, ...] = (), complete: bool = True, now: Instant = NOW) -> UnitFacts:
    return UnitFacts(
        unit=UNIT,
        as_of=now,
        complete=complete,
        missing=() if complete else ("pods",),
        members=members,
        pods=pods,
        events=(),
    )


def seen(*pods: Pod, complete: bool = True) -> UnitFacts:
    """A look at a workload with two revisions and these pods."""
    return facts(workload(revision(OLD, 1), revision(NEW, 2), target=NEW), pods=pods, complete=complete)


def index(*pods: Pod, now: Instant = NOW) -> PodIndex:
    return PodIndex.empty().updated([seen(*pods)], [], now)


def signal(
    kind: SignalKind = SignalKind.RATIO,
    *levels: Level,
    name: str = "error-rate",
    required: bool = True,
    shared: bool = False,
    minimum_traffic: int = 20,
    limit: str = "",
) -> Signal:
    return Signal(
        name=name,
        kind=kind,
        levels=levels or (Level(name=LevelName.ROLLBACK, bound=0.1, seconds=300.0),),
        required=required,
        shared=shared,
        minimum_traffic=minimum_traffic,
        limit=limit,
    )


def reading(
    pod: str,
    values: dict[tuple[str, str], float],
    *,
    newest: Instant,
    resets: int = 0,
    workload: str = "",
    namespace: str = "production",
) -> Reading:
    return Reading(
        namespace=namespace,
        pod=pod,
        workload=workload,
        values=tuple((part, class_, value) for (part, class_), value in values.items()),
        newest=newest,
        resets=resets,
    )


def snapshot(at: Instant, *readings: Reading, signal: str = "error-rate") -> Snapshot:
    return Snapshot(signal=signal, at=at, readings=readings)


def ends(
    slot: Slot, first: dict[str, dict[tuple[str, str], float]], second: dict[str, dict[tuple[str, str], float]]
) -> tuple[Snapshot, Snapshot]:
    """Fresh snapshots at both ends of the slot: pod -> values."""
    return (
        snapshot(slot.start, *(reading(p, v, newest=slot.start.plus(-2)) for p, v in first.items())),
        snapshot(slot.end, *(reading(p, v, newest=slot.end.plus(-2)) for p, v in second.items())),
    )

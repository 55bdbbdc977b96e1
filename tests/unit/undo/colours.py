"""A release set on a server that applies JSON Patches: what its plans are tried on. Green is live, blue is idle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rollguard import undo
from rollguard.loop import changes
from rollguard.model.action import (
    Absent,
    Found,
    FoundAutoscaler,
    FoundService,
    Plan,
    Reading,
    Step,
    StepKind,
    StepState,
)
from rollguard.model.facts import Autoscaler, Endpoint, Pod, Revision, Service, Template, UnitFacts, Workload
from rollguard.model.names import AUTOSCALER, SERVICE, Ref, TemplateHash, UnitName, WorkloadKind, WorkloadName
from rollguard.model.policy import ReleaseSet, SetMember
from rollguard.model.records import GoodRevision, Passage, RolloutRecord, Side, UnitRecord
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from rollguard.sim.json_patch import CannotApply, JsonObject, TestFailed, apply_patch
from rollguard.sim.template import pod_template, template_of
from rollguard.undo.patch import RECEIPT
from tests.unit.decide.situations import situation, workload
from tests.unit.observe.building import container, pod
from tests.unit.records import START
from tests.unit.undo.server import child

KEY = "colour"
MEMBERS = ("backend", "frontend", "workers")
SET = ReleaseSet(
    name="dubbing",
    namespace="production",
    selector_key=KEY,
    colours=("blue", "green"),
    members=tuple(
        SetMember(
            name=name,
            service="" if name == "workers" else f"{name}-service",
            workloads=tuple((colour, f"{name}-{colour}") for colour in ("blue", "green")),
        )
        for name in MEMBERS
    ),
)
WORKLOAD = WorkloadName("production", WorkloadKind.RELEASE_SET, "dubbing")
UNIT = UnitName.of_workload(WORKLOAD)
NEEDED = 4
IDLE = 2
"""Replicas of an idle blue."""
VERSIONS = {"blue": "v1", "green": "v2"}


def raw_template(name: str, version: str) -> JsonObject:
    """The pod template of a Deployment in a version."""
    return pod_template(name, f"{name.split('-', maxsplit=1)[0]}:{version}")


def ref(name: str, kind: str = "Deployment") -> Ref:
    """An object of the set."""
    return Ref(kind, "production", name, f"uid-{kind}-{name}")


def service_ref(member: str) -> Ref:
    """The member's Service."""
    return ref(f"{member}-service", SERVICE)


def scaler_ref(name: str) -> Ref:
    """The autoscaler of a Deployment."""
    return ref(f"{name}-hpa", AUTOSCALER)


@dataclass(slots=True)
class Cluster:
    """The objects, what their controllers make of them, and every write that took effect."""

    members: tuple[str, ...] = MEMBERS
    autoscaled: frozenset[str] = frozenset()
    """Deployments with an autoscaler, its minimum 2 and its maximum 10."""
    owner: str = ""
    objects: dict[Ref, JsonObject] = field(default_factory=dict)
    ready: dict[Ref, int] = field(default_factory=dict)
    endpoints: dict[Ref, str] = field(default_factory=dict)
    """The colour whose pods stand behind a Service."""
    stuck: dict[str, str] = field(default_factory=dict)
    """Deployments whose new pods do not become ready, and why they wait."""
    sent: list[str] = field(default_factory=list)
    """Receipts of the writes that took effect."""
    version: int = 1

    def __post_init__(self) -> None:
        for member in self.members:
            for colour, replicas in (("blue", IDLE), ("green", NEEDED)):
                name = f"{member}-{colour}"
                spec: JsonObject = {"replicas": replicas, "template": raw_template(name, VERSIONS[colour])}
                self._create(ref(name), spec)
                self.ready[ref(name)] = replicas
            if member != "workers":
                self._create(service_ref(member), {"selector": {"app": member, KEY: "green"}})
                self.endpoints[service_ref(member)] = "green"
        for name in self.autoscaled:
            self._create(scaler_ref(name), {"minReplicas": 2, "maxReplicas": 10})

    def _create(self, at: Ref, spec: JsonObject) -> None:
        metadata: JsonObject = {"name": at.name, "uid": at.uid, "resourceVersion": "1", "annotations": {"team": "x"}}
        self.objects[at] = {"metadata": metadata, "spec": spec}

    def spec(self, at: Ref) -> JsonObject:
        """The object's spec."""
        return child(self.objects[at], "spec")

    def receipt(self, at: Ref) -> str:
        """The receipt that the object carries."""
        return str(child(self.objects[at], "metadata", "annotations").get(RECEIPT, ""))

    def replicas(self, name: str) -> int:
        """What the Deployment's spec asks for."""
        value = self.spec(ref(name))["replicas"]
        assert isinstance(value, int)
        return value

    def minimum(self, name: str) -> int:
        """Of the Deployment's autoscaler."""
        value = self.spec(scaler_ref(name))["minReplicas"]
        assert isinstance(value, int)
        return value

    def colour(self, member: str) -> str:
        """What the member's Service selects."""
        return str(child(self.spec(service_ref(member)), "selector")[KEY])

    # --- what people, tools and controllers do ---

    def change(self, at: Ref, key: str, value: int | str | JsonObject | bool) -> None:
        """Somebody sets a field of the spec."""
        self.spec(at)[key] = value
        self._moved(at)

    def scale(self, name: str, replicas: int) -> None:
        """As `kubectl scale`."""
        self.change(ref(name), "replicas", replicas)

    def select(self, member: str, colour: str) -> None:
        """As `kubectl patch service`."""
        self.change(service_ref(member), "selector", {"app": member, KEY: colour})

    def release(self, name: str, version: str = "v3") -> None:
        """As `kubectl set image`."""
        self.change(ref(name), "template", raw_template(name, version))

    def delete(self, at: Ref) -> None:
        """As `kubectl delete`."""
        del self.objects[at]

    def settle(self) -> None:
        """All controllers catch up: pods are ready, endpoints follow the selectors."""
        for at in self.objects:
            if at.kind == "Deployment":
                wanted = self.replicas(at.name)
                self.ready[at] = min(wanted, self.ready[at]) if at.name in self.stuck else wanted
        for member in self.members:
            if service_ref(member) in self.objects:
                self.endpoints[service_ref(member)] = self.colour(member)

    def _moved(self, at: Ref) -> None:
        self.version += 1
        child(self.objects[at], "metadata")["resourceVersion"] = str(self.version)

    # --- the server ---

    def send(self, at: Ref, patch: str) -> bool:
        """True where the patch passed its guards."""
        operations: list[JsonObject] = json.loads(patch)
        held = child(self.objects[at], "metadata")["resourceVersion"] if at in self.objects else None
        guard = [o["value"] for o in operations if o["path"] == "/metadata/resourceVersion"]
        if held is None or guard not in ([], [held]):
            return False
        before = self.receipt(at)
        try:
            self.objects[at] = apply_patch(self.objects[at], list(operations))
        except (TestFailed, CannotApply):
            return False
        self._moved(at)
        assert self.receipt(at) != before, "a write without a receipt of its own"
        self.sent.append(self.receipt(at))
        return True

    def read(self, at: Ref) -> Reading:
        """A quorum read."""
        if at not in self.objects:
            return Absent()
        metadata = child(self.objects[at], "metadata")
        uid, version, receipt = str(metadata["uid"]), str(metadata["resourceVersion"]), self.receipt(at)
        if at.kind == SERVICE:
            return self._service(at, uid, version, receipt)
        if at.kind == AUTOSCALER:
            minimum, maximum = self.spec(at)["minReplicas"], self.spec(at)["maxReplicas"]
            assert isinstance(minimum, int)
            assert isinstance(maximum, int)
            return FoundAutoscaler(
                uid=uid,
                resource_version=version,
                minimum=minimum,
                maximum=maximum,
                receipt=receipt,
                has_annotations=True,
            )
        return self._deployment(at, uid, version, receipt)

    def _service(self, at: Ref, uid: str, version: str, receipt: str) -> FoundService:
        member, selector = at.name.removesuffix("-service"), child(self.spec(at), "selector")
        behind = self.endpoints[at]
        pods = self.ready.get(ref(f"{member}-{behind}"), 0)
        selected = behind == selector[KEY]
        return FoundService(
            uid=uid,
            resource_version=version,
            selector=tuple((key, str(value)) for key, value in selector.items()),
            receipt=receipt,
            has_annotations=True,
            serving=pods if selected else 0,
            strangers=0 if selected else pods,
        )

    def _deployment(self, at: Ref, uid: str, version: str, receipt: str) -> Found:
        raw = child(self.spec(at), "template")
        return Found(
            uid=uid,
            resource_version=version,
            generation=1,
            observed_generation=1,
            paused=bool(self.spec(at).get("paused", False)),
            template_body=template_of(raw).body,
            template_digest=template_of(raw).digest,
            receipt=receipt,
            has_annotations=True,
            revision=1,
            raw_template=json.dumps(raw),
            replicas=self.replicas(at.name),
            ready=self.ready[at],
        )

    def readings(self, plan: Plan) -> Mapping[Ref, Reading]:
        """Exactly what the plan asks to be read now."""
        return {at: self.read(at) for at in undo.reads(plan)}

    # --- the facts ---

    def facts(self) -> UnitFacts:
        """All of it, seen whole."""
        deployments = [at for at in self.objects if at.kind == "Deployment"]
        return UnitFacts(
            unit=UNIT,
            as_of=START,
            complete=True,
            missing=(),
            members=tuple(self._workload(at) for at in deployments),
            pods=tuple(one for at in deployments for one in self._pods(at)),
            events=(),
            services=tuple(self._facts_of_service(at) for at in self.objects if at.kind == SERVICE),
            autoscalers=tuple(self._scaler(at) for at in self.objects if at.kind == AUTOSCALER),
        )

    def _workload(self, at: Ref) -> Workload:
        template, replicas = template_of(child(self.spec(at), "template")), self.replicas(at.name)
        return replace(
            workload(),
            name=named(at.name),
            uid=at.uid,
            paused=bool(self.spec(at).get("paused", False)),
            desired=replicas,
            total=replicas,
            updated=replicas,
            ready=self.ready[at],
            available=self.ready[at],
            template=template,
            revisions=(_revision(template),),
        )

    def _pods(self, at: Ref) -> list[Pod]:
        hash_ = TemplateHash(template_of(child(self.spec(at), "template")).digest[:8])
        pods = [
            pod(f"{at.name}-{n}", hash_, workload=named(at.name), containers=(container(),))
            for n in range(max(self.ready[at], self.replicas(at.name)))
        ]
        return pods[: self.ready[at]] + [self._stuck(one, at.name) for one in pods[self.ready[at] :]]

    def _stuck(self, one: Pod, name: str) -> Pod:
        reason = self.stuck.get(name, "")
        containers = tuple(
            replace(c, ready=False, waiting_reason=reason, waiting_message="manifest unknown") for c in one.containers
        )
        return replace(one, ready=False, ready_since=None, containers=containers)

    def _facts_of_service(self, at: Ref) -> Service:
        member = at.name.removesuffix("-service")
        name = f"{member}-{self.endpoints[at]}"
        return Service(
            namespace="production",
            name=at.name,
            uid=at.uid,
            created=START.plus(-1e6),
            selector=tuple((key, str(value)) for key, value in child(self.spec(at), "selector").items()),
            endpoints=tuple(
                Endpoint(pod=f"{name}-{n}", ready=True, serving=True, terminating=False)
                for n in range(self.ready.get(ref(name), 0))
            ),
        )

    def _scaler(self, at: Ref) -> Autoscaler:
        name = at.name.removesuffix("-hpa")
        minimum, maximum = self.spec(at)["minReplicas"], self.spec(at)["maxReplicas"]
        assert isinstance(minimum, int)
        assert isinstance(maximum, int)
        return Autoscaler(
            namespace="production",
            name=at.name,
            uid=at.uid,
            workload=named(name),
            minimum=minimum,
            maximum=maximum,
            owner=self.owner,
        )


def named(name: str) -> WorkloadName:
    """A Deployment of the set."""
    return WorkloadName("production", WorkloadKind.DEPLOYMENT, name)


def _revision(template: Template) -> Revision:
    return Revision(
        hash=TemplateHash(template.digest[:8]),
        number=1,
        uid=f"rs-{template.digest[:8]}",
        created=START,
        template=template,
        replicas=1,
        ready=1,
    )


def side(name: str) -> Side:
    """What the Deployment ran when the passage was seen."""
    colour = name.split("-")[1]
    template = template_of(raw_template(name, VERSIONS[colour]))
    return Side(
        colour=colour,
        workload=named(name),
        uid=ref(name).uid,
        hash=TemplateHash(template.digest[:8]),
        number=1 if colour == "blue" else 2,
        digest=template.digest,
        images=template.images,
    )


def passage(member: str) -> Passage:
    """The member went from blue to green."""
    return Passage(
        member=member,
        service="" if member == "workers" else f"{member}-service",
        old=side(f"{member}-blue"),
        new=side(f"{member}-green"),
        since=START,
        needed=NEEDED,
    )


def good(member: str) -> GoodRevision:
    """The member's blue, judged healthy."""
    blue = side(f"{member}-blue")
    return GoodRevision(
        hash=blue.hash,
        number=blue.number,
        digest=blue.digest,
        bare_digest=blue.digest,
        images=blue.images,
        since=START.plus(-86400),
        workload=blue.workload.name,
    )


def stage(cluster: Cluster) -> Situation:
    """The rollout of all members to green, with nothing against going back."""
    usual = situation()
    unit = UnitRecord(name=UNIT, workload=WORKLOAD, healthy=tuple(good(member) for member in cluster.members))
    moved = tuple(passage(member) for member in cluster.members)
    rollout = replace(usual.rollout, unit=UNIT, workload=WORKLOAD, passages=moved, target_digest=moved[0].new.digest)
    watch = replace(usual.watch, release_set=SET)
    return replace(usual, unit=unit, rollout=rollout, facts=cluster.facts(), watch=watch)


def planned(cluster: Cluster, *, only: str = "", now: Instant = START) -> Plan:
    """The plan that goes back to blue."""
    made = undo.plan_set(
        stage(cluster), id="dubbing-s1.1", epoch=1, reason="bad", actor="rollguard", now=now, only=only
    )
    assert isinstance(made, Plan), made
    return made


@dataclass(slots=True)
class Run:
    """An executor that may lose answers at any point; its records are the loop's own."""

    cluster: Cluster
    record: RolloutRecord
    now: Instant = START
    frozen: str = ""
    over: str = ""
    """Why it was given up, or `finished`."""
    half: list[str] = field(default_factory=list)
    under_way: list[tuple[Ref, str]] = field(default_factory=list)
    """Requests that may still arrive."""

    @property
    def plan(self) -> Plan:
        """The stored one."""
        assert self.record.plan is not None
        return self.record.plan

    def ask(self) -> undo.Next:
        """What is to be done now."""
        unready = undo.unready(self.plan, self.cluster.facts()) if self.cluster.stuck else {}
        readings = self.cluster.readings(self.plan)
        return undo.next(self.plan, readings, self.now, frozen=self.frozen, unready=unready)

    def go(self, fate: str = "answered") -> undo.Next:
        """One turn; a write meets that fate."""
        answer = self.ask()
        match answer:
            case undo.Finished():
                self.over = "finished"
            case undo.Supersede(reason=reason):
                self.over = reason
            case undo.MarkDone(step=step):
                self.store(step)
            case undo.Abandon():
                self.record = changes.with_abandoned_plan(self.record, self.plan, answer, self.now)
            case undo.Resume(reason=reason):
                self.half.append(reason)
                number = int(self.plan.id.rsplit(".", 1)[1]) + 1
                following = undo.resume_set(self.plan, id=f"dubbing-s1.{number}", epoch=2, now=self.now, seconds=900)
                self.record = replace(self.record, plan=following)
            case undo.Wait(half=half):
                self.half += [half] if half else []
            case undo.Send(step=step) if step.state is StepState.PENDING:
                self.store(replace(step, state=StepState.TRYING))
            case undo.Send(write=write):
                if fate in {"answered", "lost on the way back"}:
                    self.cluster.send(write.ref, write.patch)
                if fate in {"lost on the way back", "delayed"}:
                    self.under_way.append((write.ref, write.patch))
        return answer

    def store(self, step: Step) -> None:
        """The step is at least that far."""
        self.record = changes.with_step(self.record, self.plan.id, replace(step, over_at=self.now))

    def turns(self, count: int = 1, *, seconds: float = 1.0) -> None:
        """So many turns, with controllers that catch up and time that passes in between."""
        for _ in range(count):
            if self.over:
                return
            self.go()
            self.cluster.settle()
            self.now = self.now.plus(seconds)

    def until(self, kind: StepKind, state: StepState = StepState.PENDING) -> Step:
        """Goes on until the next step to be sent is the first of that kind and in that state."""
        for _ in range(300):
            answer = self.ask()
            if isinstance(answer, undo.Send) and (answer.step.kind, answer.step.state) == (kind, state):
                return answer.step
            self.turns()
        raise AssertionError(f"no {kind} came: {self.over or self.ask()}")

    def states(self, kind: StepKind) -> list[str]:
        """Those of the steps of a kind, in order."""
        return [step.state.value for step in self.plan.steps if step.kind is kind]


def run(cluster: Cluster, *, only: str = "") -> Run:
    """The plan as it is stored, before its first effect."""
    return Run(cluster, replace(stage(cluster).rollout, plan=planned(cluster, only=only)))


def step_of(plan: Plan, kind: StepKind, member: str = "backend") -> Step:
    """The member's step of that kind."""
    return next(step for step in plan.steps if step.kind is kind and step.member == member)

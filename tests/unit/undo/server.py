"""A Deployment on a server that applies JSON Patches: what a plan's writes are tried on."""

from __future__ import annotations

import json

from rollguard.model.action import Found, Plan, Step, StepKind, Target
from rollguard.model.names import Ref, TemplateHash
from rollguard.sim.json_patch import CannotApply, JsonObject, JsonValue, TestFailed, apply_patch
from rollguard.sim.template import HASH_LABEL, pod_template, template_of
from rollguard.undo.deployment import LAST_APPLIED, REVISION
from rollguard.undo.patch import RECEIPT
from tests.unit.records import START

OLD = pod_template("translation", "translation:v1")
NEW = pod_template("translation", "translation:v2")
FIXED = pod_template("translation", "translation:v3")
GOOD, BAD, NEWER = template_of(OLD), template_of(NEW), template_of(FIXED)
REF = Ref("Deployment", "production", "translation", "uid-1")


def plan_to_restore() -> Plan:
    """Puts the old template back in place of the new one."""
    step = Step(
        n=1,
        kind=StepKind.RESTORE_TEMPLATE,
        target=REF,
        precondition=BAD.digest,
        goal=GOOD.digest,
        body=GOOD.body,
        revision=2,
    )
    target = Target(hash=TemplateHash("aaa"), number=1, images=GOOD.images, judged=True)
    return Plan(
        id="translation-2.1",
        epoch=1,
        created=START,
        expires=START.plus(900),
        reason="14.8% > 10%",
        actor="rollguard",
        target=target,
        steps=(step,),
    )


def child(value: JsonValue, *path: str) -> JsonObject:
    """The object at that path."""
    for key in path:
        assert isinstance(value, dict)
        value = value[key]
    assert isinstance(value, dict)
    return value


class Server:
    """One Deployment with the bad template, its controller and a count of the writes that changed its template."""

    def __init__(self, *, annotations: dict[str, str] | None = None) -> None:
        metadata: JsonObject = {"name": "translation", "uid": "uid-1", "generation": 5}
        metadata["annotations"] = {**(annotations or {}), REVISION: "2"}
        self.object: JsonObject = {"metadata": metadata, "spec": {"replicas": 3, "template": NEW}, "status": {}}
        self.observed = 5
        self.sets: dict[str, JsonObject] = {GOOD.digest: OLD, BAD.digest: NEW}
        self.numbers = {GOOD.digest: 1, BAD.digest: 2}
        self.restored = 0

    @property
    def annotations(self) -> JsonObject:
        metadata = child(self.object, "metadata")
        return child(metadata, "annotations") if "annotations" in metadata else {}

    @property
    def spec(self) -> JsonObject:
        return child(self.object, "spec")

    def found(self) -> Found:
        """A quorum read."""
        template = template_of(child(self.spec, "template"))
        return Found(
            uid=str(child(self.object, "metadata")["uid"]),
            resource_version="1",
            generation=self._generation(),
            observed_generation=self.observed,
            paused=bool(self.spec.get("paused", False)),
            template_body=template.body,
            template_digest=template.digest,
            receipt=str(self.annotations.get(RECEIPT, "")),
            has_annotations=bool(self.annotations),
            revision=int(str(self.annotations.get(REVISION, "0"))),
            raw_template=json.dumps(self.spec["template"]),
            last_applied=str(self.annotations.get(LAST_APPLIED, "")),
            managed_fields=json.dumps(child(self.object, "metadata").get("managedFields", [])),
        )

    def send(self, patch: str) -> bool:
        """True where the patch passed its guards; counts it where it changed the template."""
        before = template_of(child(self.spec, "template")).digest
        try:
            self.object = apply_patch(self.object, json.loads(patch))
        except (TestFailed, CannotApply):
            return False
        self.restored += template_of(child(self.spec, "template")).digest != before
        self._moved()
        return True

    def scale(self, replicas: int) -> None:
        self.spec["replicas"] = replicas
        self._moved()

    def apply(self, template: JsonObject) -> None:
        """A person's apply: changes the template, keeps annotations that it does not know."""
        self.spec["template"] = template
        self._moved()

    def replace_by(self, template: JsonObject) -> None:
        """As `kubectl replace`: annotations that the file does not have are gone."""
        child(self.object, "metadata").pop("annotations", None)
        self.apply(template)

    def undo_by_hand(self) -> None:
        """As `kubectl rollout undo`: the template of the second highest number, and its annotations: no receipt."""
        before = self.sets[sorted(self.numbers, key=self.numbers.__getitem__)[-2]]
        if before == self.spec["template"]:
            return  # kubectl skips it
        kept: JsonObject = {key: value for key, value in self.annotations.items() if key in (REVISION, LAST_APPLIED)}
        child(self.object, "metadata")["annotations"] = kept
        self.apply(before)

    def pause(self, paused: bool) -> None:
        self.spec["paused"] = paused
        self._moved()

    def observe(self) -> None:
        """The Deployment controller's part: the status, and a higher number for a template that is back."""
        self.observed = self._generation()
        template = child(self.spec, "template")
        digest, highest = template_of(template).digest, max(self.numbers.values())
        if self.numbers.get(digest, 0) < highest:
            self.sets[digest], self.numbers[digest] = template, highest + 1
        child(self.object, "metadata")["annotations"] = {**self.annotations, REVISION: str(self.numbers[digest])}

    def _generation(self) -> int:
        generation = child(self.object, "metadata")["generation"]
        assert isinstance(generation, int)
        return generation

    def _moved(self) -> None:
        child(self.object, "metadata")["generation"] = self._generation() + 1


__all__ = ["BAD", "FIXED", "GOOD", "HASH_LABEL", "NEW", "NEWER", "OLD", "REF", "Server", "child", "plan_to_restore"]

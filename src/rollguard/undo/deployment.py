"""The write that restores a Deployment's template: effect, receipt and write guards in one JSON Patch."""

from __future__ import annotations

import json

from rollguard.model.action import Found, Step, Write
from rollguard.model.documents import Json
from rollguard.undo.patch import annotation, leave_receipt, operation, parse, write

REVISION = "deployment.kubernetes.io/revision"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def restore(step: Step, found: Found, receipt: str) -> Write:
    """A JSON Patch that replaces the template read in `found` by the step's, and nothing where it has changed.

    It passes after a scale and fails after any change of the template. `spec.replicas` is not touched: an autoscaler
    owns it.
    """
    template = _without_hash(parse(step.body))
    operations: list[Json] = [
        operation("test", "/metadata/uid", found.uid),
        operation("test", "/spec/template", parse(found.raw_template)),
        *_receipt(found, receipt),
        *_last_applied(found, template),
        operation("replace", "/spec/template", template),
    ]
    return write(step.target, operations)


def _receipt(found: Found, receipt: str) -> list[Json]:
    """Leaves the receipt, guarded by the revision number as well.

    A repeated request that arrives late finds the first one's receipt, and fails even where the bad template has been
    applied again meanwhile; `kubectl rollout undo` takes the receipt away, but not the number.
    """
    left = leave_receipt(receipt, found=found.receipt, has_annotations=found.has_annotations)
    if not found.has_annotations:
        return left
    return [operation("test", annotation(REVISION), str(found.revision) if found.revision else None), *left]


def _last_applied(found: Found, template: Json) -> list[Json]:
    """Keeps client-side apply in step: else the next fix would keep fields of the bad version."""
    if not found.last_applied:
        return []
    try:
        manifest = parse(found.last_applied)
    except ValueError:
        return []
    if not isinstance(manifest, dict):
        return []
    spec = manifest.get("spec")
    if not isinstance(spec, dict) or "template" not in spec:
        return []
    changed: Json = {**manifest, "spec": {**spec, "template": template}}
    text = json.dumps(changed, separators=(",", ":"), ensure_ascii=False) + "\n"
    return [
        operation("test", annotation(LAST_APPLIED), found.last_applied),
        operation("replace", annotation(LAST_APPLIED), text),
    ]


def _without_hash(template: Json) -> Json:
    """The template without the label by which the Deployment controller names its ReplicaSets."""
    if not isinstance(template, dict) or not isinstance(metadata := template.get("metadata"), dict):
        return template
    if not isinstance(labels := metadata.get("labels"), dict):
        return template
    kept: Json = {key: value for key, value in labels.items() if key != "pod-template-hash"}
    return {**template, "metadata": {**metadata, "labels": kept}}

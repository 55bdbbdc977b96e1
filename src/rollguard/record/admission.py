"""The admission policy by which the API server itself checks who asked: no field of an object carries its writer."""

from __future__ import annotations

from rollguard.record.names import GROUP, POLICY_NAME, UNITS, VERSION
from rollguard.record.schema import Schema

# An entry is new unless the old object holds an equal one: changing somebody's entry counts as writing it.
NEW_REQUESTS = (
    "!has(object.spec) || !has(object.spec.requests) ? [] : object.spec.requests.filter(r,"
    " !(oldObject != null && has(oldObject.spec) && has(oldObject.spec.requests)"
    " && oldObject.spec.requests.exists(o, o == r)))"
)
FREEZE_CHANGED = (
    "has(object.spec) && has(object.spec.freeze) && !(oldObject != null && has(oldObject.spec)"
    " && has(oldObject.spec.freeze) && oldObject.spec.freeze == object.spec.freeze)"
)
MAY_FORCE = (
    f"authorizer.group('{GROUP}').resource('{UNITS}').namespace(request.namespace).name(request.name)"
    ".subresource('force').check('update').allowed()"
)


def admission() -> tuple[Schema, Schema]:
    """The ValidatingAdmissionPolicy and its binding, as JSON-able objects."""
    policy: Schema = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": POLICY_NAME},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [GROUP],
                        "apiVersions": [VERSION],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": [UNITS],
                        # The server's default, said: or each `kubectl apply` would write the whole list again.
                        "scope": "*",
                    }
                ]
            },
            "variables": [
                {"name": "added", "expression": NEW_REQUESTS},
                {"name": "freezeChanged", "expression": FREEZE_CHANGED},
            ],
            "validations": [
                {
                    "expression": "variables.added.all(r, r.actor == request.userInfo.username)",
                    "messageExpression": "'the actor of a new request must be who writes it: '"
                    " + request.userInfo.username",
                    "reason": "Forbidden",
                },
                {
                    "expression": "!variables.freezeChanged || object.spec.freeze.actor == request.userInfo.username",
                    "messageExpression": "'the actor of a changed freeze must be who writes it: '"
                    " + request.userInfo.username",
                    "reason": "Forbidden",
                },
                {
                    "expression": f"!variables.added.exists(r, has(r.force) && r.force) || {MAY_FORCE}",
                    "message": f"force needs the right to update {UNITS}/force in this namespace",
                    "reason": "Forbidden",
                },
            ],
        },
    }
    binding: Schema = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": POLICY_NAME},
        "spec": {"policyName": POLICY_NAME, "validationActions": ["Deny"]},
    }
    return policy, binding

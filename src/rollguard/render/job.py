"""`rollback-job-template`: a rollback by hand where no replica of the guard lives.

kubectl copies only a CronJob into a Job (`kubectl create job --from=cronjob/...`), and gives it no parameters: this one
never runs by itself, and its copies put the only bad rollout back.
"""

from __future__ import annotations

from rollguard.model.documents import Json
from rollguard.render.labels import Object, labels
from rollguard.render.pod import pod

NAME = "rollback-job-template"
CONTAINER = "rollback"
KEPT_S = 7 * 86400
"""How long a Job stays after its end, for people to read its log."""
WITHIN_S = 1200
"""Longer than the command follows a rollback."""
NEVER = "0 0 1 1 *"
"""A CronJob needs a time; it is suspended."""


def job_template(*, namespace: str, image: str, watched: tuple[str, ...]) -> Object:
    """The suspended CronJob; its command looks at the watched namespaces alone, where the guard has rights."""
    own: Object = {**labels(namespace), "app.kubernetes.io/component": CONTAINER}
    among = [word for each in watched for word in ("--among", each)]
    reason = "by a Job from cronjob/rollback-job-template"
    arguments: list[Json] = ["rollback", "--bad", *among, "--guard-namespace", namespace, "--reason", reason]
    container: Object = {
        "name": CONTAINER,
        "image": image,
        "args": arguments,
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        },
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": NAME, "namespace": namespace, "labels": own},
        "spec": {
            "schedule": NEVER,
            "suspend": True,
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {
                "metadata": {"labels": own},
                "spec": {
                    # A command that refused has said why; a second try would say the same.
                    "backoffLimit": 0,
                    "activeDeadlineSeconds": WITHIN_S,
                    "ttlSecondsAfterFinished": KEPT_S,
                    "template": {
                        "metadata": {"labels": own},
                        "spec": {**pod(container), "restartPolicy": "Never"},
                    },
                },
            },
        },
    }

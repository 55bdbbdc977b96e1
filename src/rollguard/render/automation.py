"""`rollback-automation.yaml`: the guard itself, as `rollguard install` has it."""

from __future__ import annotations

from rollguard.render.file import File, yaml_file
from rollguard.render.installation import Installation, manifests
from rollguard.render.labels import Object

PATH = "rollback-automation.yaml"


def automation(wanted: Installation, definitions: tuple[Object, ...]) -> tuple[File, ...]:
    """The file that brings the guard into the cluster: no object of a kind that it defines itself is in it, for
    `kubectl apply` would not know that kind yet."""
    return (yaml_file(PATH, manifests(wanted, definitions)),)

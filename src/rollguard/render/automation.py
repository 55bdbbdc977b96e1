"""`rollback-automation.yaml`: the guard itself, as `rollguard install` has it; and how its metrics are scraped."""

from __future__ import annotations

from rollguard.render.around import service_monitor
from rollguard.render.file import File, yaml_file
from rollguard.render.installation import Installation, manifests
from rollguard.render.labels import Object

PATH = "rollback-automation.yaml"
MONITOR_PATH = "service-monitor.yaml"


def automation(wanted: Installation, definitions: tuple[Object, ...]) -> tuple[File, ...]:
    """The file that brings the guard into the cluster: no object of a kind that it defines itself is in it, for
    `kubectl apply` would not know that kind yet. A ServiceMonitor, whose kind may be missing, has its own file."""
    monitor = service_monitor(wanted.policy, wanted.namespace)
    return (yaml_file(PATH, manifests(wanted, definitions)), yaml_file(MONITOR_PATH, (monitor,)))

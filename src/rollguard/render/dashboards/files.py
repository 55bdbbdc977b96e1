"""The dashboards as files: one for each to import, and all as ConfigMaps for Grafana's sidecar."""

from __future__ import annotations

from rollguard.model.policy import Policy
from rollguard.render.dashboards.every import every
from rollguard.render.dashboards.grafana import text_of
from rollguard.render.file import File, yaml_file
from rollguard.render.labels import Object, labels

SIDECAR: Object = {"grafana_dashboard": "1"}
"""By this label the sidecar of Grafana's chart finds them."""
CONFIG_MAPS = "dashboards.yaml"


def dashboards(policy: Policy, namespace: str) -> tuple[File, ...]:
    """Each dashboard as JSON, and the ConfigMaps in the guard's namespace with the same texts."""
    made = tuple((each, File(path=each.path, text=text_of(each))) for each in every(policy))
    maps: list[Object] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"rollguard-dashboard-{dashboard.uid}",
                "namespace": namespace,
                "labels": {**labels(namespace), **SIDECAR},
            },
            "data": {file.path: file.text},
        }
        for dashboard, file in made
    ]
    return (*(file for _, file in made), yaml_file(CONFIG_MAPS, maps))

"""How long a policy takes to become files, by the number of watched workloads: `python -m bench.rendering`."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from rollguard.cli.install import installation_of
from rollguard.record import manifests
from rollguard.render.everything import Rendering, files

SIZES = (1, 10, 100, 1000)
HELD_TO_S = 10.0


def policy(workloads: int) -> str:
    """A policy of the platform's preset that watches so many Deployments, in ten namespaces, by name."""
    names = [f"service-{n}" for n in range(workloads)]
    shares = [names[n::10] for n in range(10)]
    watches = [
        {"name": f"team-{n}", "namespace": f"team-{n}", "workloads": share} for n, share in enumerate(shares) if share
    ]
    spec = {"preset": "dubbing-platform", "metrics": {"address": "http://prometheus:9090"}, "watch": watches}
    document = {"apiVersion": "rollguard.dev/v1alpha1", "kind": "GuardPolicy", "metadata": {"name": "bench"}}
    return json.dumps({**document, "spec": spec})


def main() -> int:
    """Prints the figures; 1 where the largest takes longer than it is held to."""
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = Path(folder) / "policy.yaml"
            path.write_text(policy(size))
            began = time.process_time()
            wanted = Rendering(installation=installation_of(path, namespace="monitoring"), definitions=manifests())
            made = files(wanted)
            seconds = time.process_time() - began
            largest = max(made, key=lambda each: len(each.text))
            total = sum(len(each.text) for each in made)
            alerts = sum(each.text.count("alert: ") for each in made if each.path.endswith(".rules.yaml"))
            print(
                f"{size:5} workloads: {seconds:5.1f} s of CPU, {len(made)} files of {total // 1000} kB"
                f" (the largest: {largest.path}, {len(largest.text) // 1000} kB), {alerts} alerts"
            )
    return int(seconds > HELD_TO_S)


if __name__ == "__main__":
    sys.exit(main())

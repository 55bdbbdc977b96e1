"""`rollguard manifests`: what a cluster needs before the guard runs."""

from __future__ import annotations

import json

from rollguard.cli import exits, output
from rollguard.record import manifests as all_manifests


def manifests() -> int:
    """Print the custom resource definitions and the admission policy, for `kubectl apply --server-side -f -`."""
    output.say(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(all_manifests())}, indent=2))
    return exits.OK

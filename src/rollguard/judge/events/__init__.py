"""Rules on the cluster's own statuses, and on alerts: they need no metrics and do not wait for them."""

from __future__ import annotations

from rollguard.judge.events.alerts import alerts_told, firing_alerts
from rollguard.judge.events.crash import crash_loop, exits_seen, nodes_seen, old_pods
from rollguard.judge.events.deserted import live_colour
from rollguard.judge.events.migration import migration_failed
from rollguard.judge.events.progress import progress_deadline
from rollguard.judge.events.pull import image_pull, pulls_seen

__all__ = [
    "alerts_told",
    "crash_loop",
    "exits_seen",
    "firing_alerts",
    "image_pull",
    "live_colour",
    "migration_failed",
    "nodes_seen",
    "old_pods",
    "progress_deadline",
    "pulls_seen",
]

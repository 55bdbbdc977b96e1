"""What the platform's operators get to read and to apply, as files: a change of a text or a bound shows here."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.render.alerts.table import recordings
from rollguard.render.retention.small import small
from rollguard.render.retention.thanos import thanos
from tests.unit.render.pages import pages, platform

GOLDEN = Path(__file__).parents[2] / "golden" / "pages"
SOME = (
    "DEPLOYMENT_RUNBOOK.md",
    "NORMAL_RANGES.md",
    "PRODUCTION_ENVIRONMENT.md",
    "runbooks/README.md",
    "runbooks/HighErrorRate.md",
    "runbooks/HighResponseTime.md",
    "runbooks/PodCrashLooping.md",
    "runbooks/DatabaseMigrationFailed.md",
    "runbooks/QueueDepthHigh.md",
    "runbooks/GuardDown.md",
    "thanos.yaml",
    "thanos-sidecar.yaml",
    "prometheus-small.yaml",
    "prometheus-small-remote-write.yaml",
)
"""One of each kind: all pages would only repeat the same commands."""


@pytest.mark.golden
def test_the_platforms_pages_are_the_golden_ones(renew_golden: bool) -> None:
    policy = platform()
    kept = (*thanos(policy, "monitoring"), *small(policy, recordings(policy), "monitoring"))
    found = {**pages(policy), **{file.path: file.text for file in kept}}
    for path in SOME:
        if renew_golden:
            (GOLDEN / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / path).write_text(found[path])
        assert found[path] == (GOLDEN / path).read_text(), f"{path}: read the difference, then renew by --renew-golden"

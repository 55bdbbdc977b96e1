"""What a policy says for the rendered pages and stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.model.operations import Contact, Database, Operations, Place, Retention, Runbooks
from tests.unit.policy.broken import RICH
from tests.unit.policy.texts import GOOD, added, good, only

DAY = 86400.0
PLATFORM = Path(__file__).parents[3] / "examples" / "dubbing-platform" / "policy.yaml"


def test_without_a_word_metrics_are_kept_as_the_platform_keeps_them_and_nobody_is_named() -> None:
    found = good(GOOD).operations
    assert found == Operations()
    assert found.retention == good(PLATFORM.read_text()).operations.retention
    assert found.retention == Retention(real_time=15 * DAY, aggregated=90 * DAY, long_term=365 * DAY)


def test_what_the_text_says_is_read() -> None:
    assert good(RICH).operations == Operations(
        contacts=(Contact(who="On call", reach="PagerDuty", about="all that pages"),),
        runbooks=Runbooks(
            pod_label="app",
            databases=(Database(name="shop_prod", pod="postgres-pod", user="postgres", variable="DATABASE_URL"),),
            caches=("redis-service",),
            tools=(Place(name="Sentry", url="https://sentry.example.com/shop"),),
            probes=("https://shop.example.com/health",),
            smoke="npm run test:smoke",
        ),
    )


@pytest.mark.parametrize("retention", ["realTime: 1d", "aggregated: 9d", "realTime: 91d", "longTerm: 89d"])
def test_what_would_be_gone_before_it_is_thinned_out_is_a_mistake(retention: str) -> None:
    assert " of at least " in only(added("retention:", f"  {retention}"))


def test_a_line_that_is_several_is_a_mistake() -> None:
    assert "one line of text" in only(added("runbooks:", r'  smoke: "make\ntest"'))

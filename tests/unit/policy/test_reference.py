"""The page of the policy's keys is that of the table by which a policy is checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rollguard.model.policy import Limits, Policy, Timing
from rollguard.policy import durations
from rollguard.policy.table import Key, Section, sections
from tests.unit.policy.texts import GOOD, good

PAGE = Path(__file__).parents[3] / "docs" / "policy.md"
MARKS = re.compile(r"(?<=-->\n).*(?=<!-- end of keys -->)", re.DOTALL)


def row(key: Key) -> str:
    default = "required" if key.required else key.default or "–"
    cells = (f"`{key.name}`", key.type, default, key.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def written(section: Section) -> str:
    title = ", ".join(f"`{path}`" for path in section.paths if path) or "The document"
    if not section.keys:
        return f"\n### {title}\n\n{section.about}\n"
    rows = "\n".join(row(key) for key in section.keys)
    return f"\n### {title}\n\n{section.about}\n\n| key | type | default | meaning |\n|---|---|---|---|\n{rows}\n"


@pytest.mark.golden
def test_the_page_has_every_key_as_the_table_has_it(renew_golden: bool) -> None:
    keys = "".join(written(section) for section in sections()) + "\n"
    page = PAGE.read_text()
    if renew_golden:
        page = MARKS.sub(lambda _: keys, page, count=1)
        PAGE.write_text(page)
    assert keys in page, "make golden"


def test_every_key_says_what_it_means() -> None:
    without = [f"{section.paths[0]}.{key.name}" for section in sections() for key in section.keys if not key.meaning]
    assert not without, "write a docstring below the key in policy/document.py"


def test_the_page_knows_places_types_and_defaults() -> None:
    found = {(path, key.name): key for section in sections() for path in section.paths for key in section.keys}
    assert found["spec.watch[]", "workloads"].type == "list of name"
    assert found["spec.signals.NAME.levels.rollback", "for"].required
    assert found["spec.metrics", "scrapeInterval"].default == "`15s`"
    assert found["spec", "onTimeout"].type == "`hold` or `rollBack`"
    assert found["spec.metrics.labels", "pod"].type == 'label or `""`'


def test_the_example_of_the_page_is_a_good_policy() -> None:
    example = PAGE.read_text().split("```yaml\n")[1].split("```")[0]
    assert isinstance(good(example), Policy)


@pytest.mark.parametrize(
    ("section", "key", "resolved"),
    [
        ("spec.timing", "tick", Timing().tick),
        ("spec.timing", "adoptedAfter", Timing().adopted_after),
        ("spec.timing", "planExpiry", Timing().plan_expiry),
        ("spec.timing", "approvalWithin", Timing().approval_within),
        ("spec.timing", "repeatNotice", Timing().repeat_notice),
        ("spec.timing", "clockOffset", Timing().clock_offset_max),
        ("spec.timing.recovery", "within", Timing().recovery_within),
        ("spec.timing.recovery", "for", Timing().recovery_for),
        ("spec", "joinWindow", Timing().join_within),
        ("spec", "drain", Timing().drain),
        ("spec.window", "automatic", Timing().automatic),
        ("spec.window", "close", Timing().close),
        ("spec.window", "startup", Timing().startup),
        ("spec.window", "stabilization", Timing().stabilization),
        ("spec.limits", "within", Limits().rollbacks_within),
        ("spec.limits.fleet", "within", Limits().fleet_within),
    ],
)
def test_what_is_said_to_hold_where_nothing_is_given_does(section: str, key: str, resolved: float) -> None:
    (found,) = (k for s in sections() if section in s.paths for k in s.keys if k.name == key)
    assert f" {durations.format_(resolved)} where it is not given" in found.meaning


def test_the_small_policy_has_those_values() -> None:
    policy = good(GOOD)
    assert (policy.timing.automatic, policy.timing.close) == (Timing().automatic, Timing().close)
    assert policy.limits == Limits()

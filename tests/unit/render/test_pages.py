"""Runbooks and guides: a page for each alert, each bound from the policy, each command one that exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import resources

import promql_parser
import pytest

from rollguard.cli.main import build
from rollguard.model.policy import Policy
from rollguard.render.deployment import MATCH
from rollguard.render.pages.runbooks import TOPICS
from rollguard.render.pages.text import cell, filled, some
from tests.unit.policy.broken import RICH
from tests.unit.policy.texts import GOOD, WITH_SET, added, good
from tests.unit.render.pages import blocks, commands, every_alert, pages, platform
from tests.unit.render.policies import CLUSTERS

GENERIC = GOOD[: GOOD.index("  signals:")] + "  preset: generic\n"
POLICIES = {
    "platform": platform(),
    "small": good(GOOD),
    "a set": good(WITH_SET),
    "rich": good(RICH),
    "generic": good(GENERIC),
}
EVERY_CHANNEL = """notify:
    email: {to: [ops@example.com, b@example.com], from: guard@example.com, host: smtp.example.com}
    teams: {video: {email: [v@example.com], slack: {warnings: '#video-warnings'}}}
    webhooks: [{name: ours, url: 'https://example.com/hook'}]
    tickets: {url: 'https://example.com/tickets', always: [critical]}
  journal: {postgres: {}}"""
every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
BOUND = re.compile(r"\b\d+(?:\.\d+)?\s?(?:%|ms\b|/min|seconds|minutes|hours|days)")


def texts() -> Iterator[tuple[str, str]]:
    folder = resources.files("rollguard.render.pages").joinpath("texts")
    for part in ("topics", "guides"):
        for file in folder.joinpath(part).iterdir():
            yield file.name, file.read_text("utf-8")


@every_policy
def test_every_alert_has_a_page_and_every_page_an_alert(policy: Policy) -> None:
    named = {f"runbooks/{alert.name}.md" for alert in every_alert(policy)}
    made = {path for path in pages(policy) if path.startswith("runbooks/")} - {"runbooks/README.md"}
    assert made == named


@every_policy
def test_every_page_says_what_it_means_what_to_look_at_and_when_to_go_back(policy: Policy) -> None:
    for path, page in pages(policy).items():
        if path.startswith("runbooks/") and not path.endswith("README.md"):
            assert re.findall(r"^## (.*)$", page, re.MULTILINE) == [
                "Meaning",
                "Impact",
                "Diagnosis",
                "Mitigation",
                "When to roll back",
            ], path


@every_policy
def test_nothing_is_left_unfilled(policy: Policy) -> None:
    for path, page in pages(policy).items():
        assert not re.search(r"\{\{|\bNone\b(?!\.)|\n\n\n|```\w*\n```", page), path
        assert page.endswith("\n")
        assert page.count("```") % 2 == 0


def test_no_topic_is_without_an_alert() -> None:
    kinds = {"ratio", "histogram", "rate", "gauge"}
    files = {name.removesuffix(".md") for name, _ in texts()} - {"deployment", "production", "ranges"}
    assert files == set(TOPICS.values()) | kinds


@pytest.mark.parametrize(("name", "text"), list(texts()), ids=[name for name, _ in texts()])
def test_no_bound_is_written_into_the_texts_themselves(name: str, text: str) -> None:
    prose = re.sub(r"`[^`]*`", "", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    assert BOUND.findall(prose) == []


def test_a_bound_that_is_changed_in_the_policy_changes_on_every_page_that_says_it() -> None:
    before = pages(platform())
    after = pages(
        platform(
            "  signals:\n    job-failures:",
            "  signals:\n    errors: {levels: {rollback: {above: 8%}}}\n    job-failures:",
        )
    )
    assert "> 10% " in before["runbooks/RollbackErrorRate.md"]
    row = "| critical | deployment | > {} | 5m |"
    assert row.format("10%") in before["runbooks/RollbackErrorRate.md"]
    assert row.format("8%") in after["runbooks/RollbackErrorRate.md"]
    for path in ("runbooks/HighErrorRate.md", "DEPLOYMENT_RUNBOOK.md"):
        assert "- `errors`: > 10% for 5m" in before[path]
        assert "- `errors`: > 8% for 5m" in after[path]
        assert "`errors`: > 10%" not in after[path]
    assert "| > 10% for 5m |" in before["NORMAL_RANGES.md"]
    assert "| > 8% for 5m |" in after["NORMAL_RANGES.md"]
    assert "| > 10% for 5m |" not in after["NORMAL_RANGES.md"]


def test_the_phases_are_the_policys() -> None:
    page = pages(platform("    stabilization: 15m", "    stabilization: 12m"))["DEPLOYMENT_RUNBOOK.md"]
    assert "| stabilization | 5m to 12m |" in page
    assert "| validation | 12m to 30m |" in page


@every_policy
def test_every_command_of_rollguard_is_one(policy: Policy) -> None:
    app = build()
    checked = 0
    for page in pages(policy).values():
        for line in commands(page):
            if not line.startswith("rollguard "):
                continue
            words = shlex.split(line.replace("...", "x"))[1:]
            bare = words in (["why"], ["rollback"], ["reject"], ["wait"], ["rollback", "--force"])
            if not bare:
                app.parse_args(words, exit_on_error=False, print_error=False)
            checked += 1
    assert checked > 20


def test_a_command_that_is_none_is_found() -> None:
    with pytest.raises(Exception, match="unkown"):
        build().parse_args(["rollback", "a/b", "--unkown", "c"], exit_on_error=False, print_error=False)


@every_policy
def test_every_query_is_promql(policy: Policy) -> None:
    for page in pages(policy).values():
        for block in blocks(page, "promql"):
            for line in block.splitlines():
                promql_parser.parse(line)


def test_the_platforms_commands_are_the_corrected_ones() -> None:
    found = pages(platform())
    errors = list(commands(found["runbooks/HighErrorRate.md"]))
    assert (
        'kubectl -n "production" logs -l "app=backend" --all-containers --prefix --tail=-1 --since=15m | grep ERROR'
        in errors
    )
    assert 'kubectl -n "production" exec "deployment/backend-green" -- redis-cli -h redis-service ping' in errors
    (query,) = (line for line in errors if "psql" in line)
    assert shlex.split(query)[-3:] == [
        "sh",
        "-c",
        'psql "${DATABASE_URL%%\\?*}" -c "SELECT count(*) FROM pg_stat_activity;"',
    ], "the variable is the pod's, not the operator's"
    slow = list(commands(found["runbooks/HighResponseTime.md"]))
    assert any("psql -U postgres -d dubbing_prod" in line and "pg_stat_statements" in line for line in slow)
    script = 'kubectl -n monitoring exec -it deployment/monitoring -- /scripts/rollback.sh "production" "backend-green"'
    assert any(line.startswith(script) for line in errors)
    job = 'kubectl -n monitoring create job --from=cronjob/rollback-job-template "rollback-$(date +%s)"'
    assert job in errors


def test_a_custom_signals_page_goes_by_its_kind_and_names_what_it_counts() -> None:
    page = pages(platform())["runbooks/QueueDepthHigh.md"]
    assert "count by (namespace) (queue_depth)" in page
    assert "| warning | resource | > 200 | 10m |" in page
    ratio = pages(platform())["runbooks/JobFailuresHigh.md"]
    assert "DEPLOYMENT=workers-green" in ratio, "the signal is the workers' alone"


def test_without_databases_and_labels_the_pages_do_without_them() -> None:
    found = pages(good(GENERIC))
    assert "psql" not in "".join(found.values())
    assert "redis-cli" not in "".join(found.values())
    selector = """$(kubectl -n "production" get deployment "web" -o jsonpath='{.spec.selector.matchLabels}'"""
    chosen = f"""-l "{selector} | tr -d '{{}}"' | tr : =)" --all-containers --prefix --tail=-1"""
    assert any(
        line.startswith(f'kubectl -n "production" logs {chosen}')
        for line in commands(found["runbooks/HighErrorRate.md"])
    )


def test_what_an_alerts_label_names_is_what_is_looked_at_first() -> None:
    found = pages(platform())
    assert "POD=...  # the alert's label `pod`\n" in found["runbooks/PodNotReady.md"]
    migration = found["runbooks/DatabaseMigrationFailed.md"]
    assert "MIGRATION=...  # the alert's label `migration`" in migration
    tried = [line for line in commands(migration) if line.startswith('kubectl -n "production" logs ')]
    assert [line.split()[4] for line in tried] == ['"job/..."', '"..."']
    labels = {each.name: each.expr for each in every_alert(platform())}
    assert "max by (namespace, migration)" in labels["DatabaseMigrationFailed"]


@every_policy
def test_the_guards_own_log_is_that_of_all_its_replicas(policy: Policy) -> None:
    (line,) = (line for line in commands(pages(policy)["runbooks/GuardDown.md"]) if " logs " in line)
    words = shlex.split(line)
    chosen = dict(each.split("=") for each in words[words.index("-l") + 1].split(","))
    assert chosen == MATCH
    assert "--all-pods" not in "".join(pages(policy).values()), "not every kubectl has it"


@pytest.mark.parametrize(
    ("failure", "said"),
    [("ask", "database migration failed (it asks, in every mode)"), ("rollBack", "database migration failed")],
)
def test_a_failed_migration_goes_back_by_itself_only_where_the_policy_says_so(failure: str, said: str) -> None:
    page = pages(platform("onFailure: ask", f"onFailure: {failure}"))["DEPLOYMENT_RUNBOOK.md"]
    assert f"- `migration-failed`: {said}\n" in page


def test_the_guides_name_people_colours_services_databases_and_channels() -> None:
    found = pages(platform())
    assert "| On-call engineer | PagerDuty | everything that pages |" in found["DEPLOYMENT_RUNBOOK.md"]
    production = found["PRODUCTION_ENVIRONMENT.md"]
    for row in (
        "| backend | backend-service | backend-blue | backend-green |",
        "| workers | none: its pods serve as soon as they run | workers-blue | workers-green |",
        "| dubbing_prod | PostgreSQL | pod `postgres-pod`, as `postgres` |",
        "| `#production-incidents` | critical alerts and incidents |",
        "15 days, a sample in five minutes for 90 days, one in an hour for 365 days",
    ):
        assert row in production
    assert "| `latency` | time of requests | P95 ≤ 500ms, P99 ≤ 2s |" in found["NORMAL_RANGES.md"]


def test_links_between_pages_lead_somewhere() -> None:
    found = pages(platform())
    for path, page in found.items():
        folder = path.rpartition("/")[0]
        for target in re.findall(r"\]\(([\w/]+\.md)", page):
            assert f"{folder}/{target}".lstrip("/") in found, f"{path}: {target}"


def test_a_policy_of_many_workloads_gives_pages_that_can_be_read() -> None:
    many = ", ".join(f"service-{n}" for n in range(1000))
    page = pages(good(GENERIC.replace("[web, api]", f"[{many}]")))["DEPLOYMENT_RUNBOOK.md"]
    assert "# and 988 more of these" in page
    assert len(page.splitlines()) < 250


def test_text_from_the_policy_ends_no_cell_and_no_line() -> None:
    policy = good(added("contacts:", '  - {who: "a | b", reach: "#c"}'))
    assert "| a \\| b | #c |  |" in pages(policy)["DEPLOYMENT_RUNBOOK.md"]
    assert cell("a\nb | c") == "a b \\| c"


def test_a_place_without_a_value_is_an_error_and_one_for_nothing_takes_its_line_along() -> None:
    assert filled("a\n\n{{b}}\n\nc {{d}}", {"b": "", "d": "e"}) == "a\n\nc e"
    with pytest.raises(KeyError):
        filled("{{x}}", {})
    assert some(["a"] * 12) == ["a"] * 12


def test_a_step_without_its_command_is_left_out_and_the_others_are_counted_anew() -> None:
    page = pages(good(CLUSTERS))["runbooks/HighResponseTime.md"]
    steps = [line for line in page.splitlines() if re.match(r"\d+\. ", line)]
    assert [step.partition(" ")[0] for step in steps] == ["1.", "2.", "3."]
    assert not any("slowest queries" in step for step in steps), "the policy names no database"
    assert "slowest queries" in pages(platform())["runbooks/HighResponseTime.md"]


def test_the_production_page_has_every_channel_of_the_policy() -> None:
    text = added(EVERY_CHANNEL).replace("namespace: production", "namespace: production\n      team: video", 1)
    page = pages(good(text))["PRODUCTION_ENVIRONMENT.md"]
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for row in (
        "| e-mail to ops@example.com and b@example.com | a summary when a rollout ends; pages that nothing else took |",
        "| e-mail to v@example.com | the same about the workloads of video |",
        "| `#video-warnings` | warnings about the workloads of video, in place of the second above |",
        "| webhook `ours` | every notice as JSON |",
        "| tickets | findings that a person makes one of; those of `critical` always |",
        "| journal, in PostgreSQL | a copy of every rollout's story, for readers |",
    ):
        assert row in rows
    assert "https://example.com/hook" not in page

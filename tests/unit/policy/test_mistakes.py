"""Every mistake is reported at once, with its place, what was expected and the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.policy import load
from tests.unit.policy.texts import GOOD, added, changed, mistakes, only

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.golden
def test_all_mistakes_of_a_text_are_those_of_the_golden_file(renew_golden: bool) -> None:
    found = load((GOLDEN / "policy-mistakes.yaml").read_text(), "policy.yaml")
    assert isinstance(found, tuple)
    report = "".join(f"{mistake}\n" for mistake in found)
    golden = GOLDEN / "policy-mistakes.txt"
    if renew_golden:
        golden.write_text(report)
    assert report == golden.read_text()


def test_no_message_shows_a_secret() -> None:
    found = load((GOLDEN / "policy-mistakes.yaml").read_text(), "policy.yaml")
    assert isinstance(found, tuple)
    assert "hunter2" not in " ".join(str(mistake) for mistake in found)
    broken = GOOD + "  token: 'hunter2\n"
    assert "hunter2" not in " ".join(str(mistake) for mistake in mistakes(broken))


def test_an_unknown_key_names_the_nearest() -> None:
    assert only(added("limts: {rollbacks: 3}")).startswith("policy.yaml:19:3: `limts`: expected one of the keys")
    assert only(added("limts: {rollbacks: 3}")).endswith("did you mean `limits`?")


def test_a_level_that_is_wrong_is_told_once_though_the_presets_alert_stands_on_it() -> None:
    text = changed("10%", "much").replace("  metrics:\n", "  preset: generic\n  metrics:\n", 1)
    assert "a share in percent" in only(text)


def test_an_alert_on_a_level_that_the_signal_lacks_names_those_that_it_has() -> None:
    alerts = "      alerts: [{name: ErrorsHigh, level: critical}]\n      levels:\n"
    assert only(changed("      levels:\n", alerts)).endswith(
        "`critical`: expected a level that the signal has: rollback"
    )


@pytest.mark.parametrize(
    ("alert", "words"),
    [
        ("{name: All, level: rollback, per: namespace}", "all together name nothing to roll back"),
        ("{name: All, level: warning, per: namespace, afterRollout: true}", "all together are no workload"),
    ],
)
def test_an_alert_on_a_whole_namespace_undoes_nothing_and_asks_for_no_rollout(alert: str, words: str) -> None:
    levels = "      alerts: [" + alert + "]\n      levels:\n        warning: {above: 1%, for: 5m}\n"
    assert words in only(changed("      levels:\n", levels))


def test_a_value_has_no_alert_on_a_whole_namespace() -> None:
    depth = "depth: {kind: gauge, gauge: queue_depth, levels: {warning: {above: 5, for: 5m}}, alerts: [ALERT]}"
    text = changed("  signals:\n", f"  signals:\n    {depth}\n")
    found = only(text.replace("ALERT", "{name: Deep, level: warning, per: namespace}"))
    assert "only a ratio, a histogram or a rate of workloads" in found


def test_a_key_that_stands_twice_names_the_first_line() -> None:
    assert "each key once: it stands in line 15" in only(changed("      total: ", "      bad: x\n      total: "))


@pytest.mark.parametrize(
    "word", ["on", "off", "yes", "No", "ON", "y", "0644", "1_000", "0x1f", "1:30", "2026-01-01", "+5"]
)
def test_a_word_that_kubectl_reads_differently_must_be_quoted(word: str) -> None:
    assert f"policy.yaml:19:12: `{word}`" in only(added(f"cluster: {word}"))
    assert load(added(f'cluster: "{word}"'), "policy.yaml") is not None
    assert not isinstance(load(added(f'cluster: "{word}"'), "policy.yaml"), tuple)


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("for: 5m", "for: 5", "18:37", "a duration with a unit"),
        ("for: 5m", "for: 5 minutes", "18:37", "a duration with a unit"),
        ("for: 5m", "for: 1s", "18:37", "at least one slot (30s)"),
        ("above: 10%", "above: 10", "18:27", "a share in percent"),
        ("above: 10%", "above: 10/min", "18:27", "a share in percent"),
        ("above: 10%", "above: 100%", "18:27", "below 100%"),
        ("above: 10%", "p95: 1s", "18:20", "has no quantiles"),
        ('{status=~"5.."}', '{status=~"5.."', "15:12", "a PromQL selector"),
        ("total: http_requests_total", "total: rate(http_requests_total[5m])", "16:14", "not a selector"),
        ("total: http_requests_total", "total: http_requests_total[5m]", "16:14", "not a selector"),
        ("total: http_requests_total", "total: http_requests_total offset 5m", "16:14", "no `offset`"),
        ("kind: ratio", "kind: rato", "14:13", "'ratio', 'histogram'"),
        ("kind: ratio", "kind: rate", "13:5", "a key `counter`"),
        ("http://prometheus:9090", "http://me:pw@prometheus:9090", "7:14", "without user name and password"),
        ("http://prometheus:9090", "prometheus:9090", "7:14", "an address such as"),
        ("workloads: [web, api]", "workloads: [web, web]", "11:24", "each workload once"),
        ("workloads: [web, api]", "workloads: []", "11:18", "at least 1 in it"),
        ("workloads: [web, api]", "team: a", "9:7", "one of `workloads`, `selector` and `releaseSet`"),
        ("name: web", "name: Web", "9:13", "lower-case"),
        (
            "[web, api]",
            "[web, api]\n      signals: [eror]",
            "12:17",
            "one of the signals errors; did you mean `errors`?",
        ),
        ("rollback: {", "rolback: {", "18:9", "did you mean `rollback`?"),
        ("kind: GuardPolicy", "kind: guardpolicy", "2:7", "did you mean `GuardPolicy`?"),
    ],
)
def test_a_mistake_is_reported_at_its_place(old: str, new: str, place: str, words: str) -> None:
    found = [str(mistake) for mistake in mistakes(changed(old, new))]
    assert any(f"policy.yaml:{place}:" in line and words in line for line in found), "\n".join(found)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("timing: {slot: 20s}", "`slot` of at least two scrape intervals (30s)"),
        ("timing: {tick: 50ms}", "`tick` of at least the shortest tick (100ms)"),
        ("window: {automatic: 3h, close: 2h}", "`close` of at least the automatic part (3h)"),
        ("window: {startup: 20m}", "`stabilization` of at least startup (20m)"),
        ("timing: {recovery: {within: 1m, for: 2m}}", "`within` of at least `for` (2m)"),
        ("onTimeout: rollback", "did you mean `rollBack`?"),
        ("timeZone: Europe/Nowhere", "a time zone"),
        ("migration: {pattern: Prisma}", "a pattern of names such as prisma-migrate-*"),
        ("migration: {pattern: ['*']}", "a pattern of names such as prisma-migrate-*"),
        ("migration: {interlock: marked}", "a key `pattern`"),
        ("migration: {pattern: a, onFailure: rollback}", "did you mean `rollBack`?"),
        ("migration: {pattern: a, interlock: proved}", "did you mean `proven`?"),
        ("shared: hold", "'ask' or 'rollBack'"),
        ("preset: generick", "did you mean `generic`?"),
        ("limits: {rollbacks: 0}", "a number of at least 1"),
        ("limits: {rollbacks: -1.5}", "a whole number"),
        ("links: {dashboard: 'ftp://x'}", "an address such as"),
        ("notify: {webhooks: [{name: a, url: 'http://a'}, {name: a, url: 'http://b'}]}", "a name of its own"),
        ("notify: {webhooks: [{name: a, url: 'http://a', hmacKey: geheim}]}", "no secret in a policy"),
        ("notify: {slack: {deployments: #x\n    }}", 'a Slack channel in quotes, such as "#deployments"'),
        ("notify: {slack: {deployments: deployments}}", 'in quotes, such as "#deployments", or its id'),
        ("notify: {slack: {deployments: '#Deployments'}}", "a name has lower-case letters"),
        ("notify: {slack: '#deployments'}", "a mapping of keys: api, deployments, incidents, warnings"),
        ("notify: {secrets: slack-bot-token}", "a list, such as [slack-bot-token]"),
        ("notify: {webhooks: ours}", "`ours`: expected a list"),
        ("notify: {tickets: {url: 'https://t', always: [rollback]}}", "`critical`, which stands for `rollback` too"),
        ("notify: {slack: {warning: '#w'}}", "did you mean `warnings`?"),
        ("notify: {secrets: [slack-webhook]}", "did you mean `slack-webhook-url`?"),
        ("notify: {secrets: [slack-bot-token, slack-bot-token]}", "each key once"),
        ("notify: {secrets: [pagerduty-api-key]}", "both `pagerduty-api-key` and `pagerduty-service-id`, or neither"),
        ("gitops: freeze", "`freeze`: expected hold or ignore: `freeze` comes later"),
        ("gitops: hol", "did you mean `hold`?"),
        ("helm: freeze", "'hold' or 'ignore'"),
        ("secrets: metdata", "did you mean `metadata`?"),
        ("maintenance: [{name: a, from: 22:00, to: '06:00', reason: x}]", "in quotes"),
        ("maintenance: [{name: a, from: '24:00', to: '06:00', reason: x}]", "a time of the day in quotes"),
        ("maintenance: [{name: a, from: '22:00', to: '22:00', reason: x}]", "another time than `from`"),
        ("maintenance: [{name: a, from: '22:00', to: '6:00', reason: x}]", "a time of the day in quotes"),
        ("maintenance: [{name: a, days: [mo], from: '22:00', to: '06:00', reason: x}]", "'mon', 'tue'"),
        ("maintenance: [{name: a, from: '22:00', to: '06:00', timeZone: CEST, reason: x}]", "a time zone such as"),
        ("maintenance: [{name: a, from: '22:00', to: '06:00'}]", "a key `reason` here"),
        (
            "maintenance: [{name: a, from: '1:00', to: '06:00', reason: x}]",
            "policy.yaml:19:33: `1:00`: expected a time of the day",
        ),
        (
            "maintenance: [{name: a, from: '01:00', to: '06:00', reason: x},"
            " {name: a, from: '02:00', to: '06:00', reason: z}]",
            "a name of its own for each quiet window",
        ),
    ],
)
def test_a_mistake_between_keys_says_what_would_be_right(line: str, words: str) -> None:
    text = only(added(line))
    assert words in text
    assert text.startswith("policy.yaml:19:")


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        (
            "{bearerToken: geheim}",
            "no secret in a policy: name the file that holds it; did you mean `bearerTokenFile`?",
        ),
        ("{password: geheim}", "no secret in a policy"),
        ("{headers: {Authorization: geheim}}", "a header without a secret"),
        ("{headers: {X-Api-Key: geheim}}", "a header without a secret"),
        ("{headers: {X-Auth-Email: geheim}}", "a header without a secret"),
        ("{headers: {CF-Access-Key: geheim}}", "a header without a secret"),
        ("{headers: {DD-APPLICATION-KEY: geheim}}", "a header without a secret"),
        ("{headers: {X-Scope: geheim-ü}}", "one line of ASCII"),
        ("{bearerTokenFile: geheim}", "the absolute path of a file"),
        ("{username: me}", "both `username` and `passwordFile`"),
        ("{keyFile: /k}", "both `certificateFile` and `keyFile`"),
        ("{bearerTokenFile: /t, username: me, passwordFile: /p}", "either a bearer token or a user name"),
        ("{bearerTokenFile: token}", "the absolute path of a file"),
    ],
)
def test_secrets_come_from_files_and_are_never_shown(auth: str, words: str) -> None:
    text = only(changed("prometheus:9090\n", f"prometheus:9090\n    auth: {auth}\n"))
    assert words in text
    assert "geheim" not in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.com/services/geheim?x=1", "`https://hooks.example.com/…`"),
        ("https://prometheus:9090?token=geheim", "`https://prometheus:9090/…`"),
        ("ftp://example.com/geheim", "`ftp://example.com/…`"),
        ("https://me:geheim@example.com/geheim", "`https://…@example.com/…`"),
        ("https://me:geheim/x@example.com", "`https://…`"),
        ("https://example.com:geheim", "`https://…`"),
        ("hooks.example.com/services/geheim", "`…`"),
        ("[https://hooks.example.com/geheim]", "`…`"),
    ],
)
def test_of_an_address_only_the_host_is_shown_for_its_path_may_be_the_secret(url: str, shown: str) -> None:
    text = only(added(f"notify: {{webhooks: [{{name: a, url: {url}}}]}}"))
    assert shown in text
    assert "geheim" not in text


def test_a_line_that_is_no_yaml_is_shown_without_what_follows_a_host() -> None:
    text = str(mistakes("url: https://hooks.example.com/geheim: x\n"))
    assert "url: https://…" in text
    assert "geheim" not in text


def test_a_warning_beyond_critical_names_both() -> None:
    text = changed("rollback: {", "warning: {above: 20%, for: 5m}\n        rollback: {")
    assert "a bound of rollback that is not below that of warning (> 20% for 5m)" in only(text)
    quantiles = GOOD + (
        "    slow:\n      kind: histogram\n      buckets: b\n      levels:\n"
        "        warning: [{p95: 3s, for: 5m}, {p99: 9s, for: 5m}]\n        critical: [{p95: 2s, for: 5m}]\n"
    )
    assert "`2s`: expected a bound of critical that is not below that of warning (P95 > 3s for 5m)" in only(quantiles)


def test_two_watches_cannot_name_the_same_workload() -> None:
    second = "      workloads: [web, api]\n    - {name: two, namespace: production, workloads: [api]}\n"
    assert "production/api is in the watch `web` already" in only(changed("      workloads: [web, api]\n", second))
    elsewhere = second.replace("production, workloads", "staging, workloads")
    assert not isinstance(load(changed("      workloads: [web, api]\n", elsewhere), "x"), tuple)


def test_an_alias_is_refused() -> None:
    text = changed("[web, api]", "&names [web, api]\n    - {name: two, namespace: b, workloads: *names}")
    assert only(text).startswith("policy.yaml:11:18: `&names`: expected the value itself")
    assert "`&a`" in only(added("cluster: &a x"))
    mistakes("a: &a [*a, *a]\n")


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n...\n", "null", "[]", "policy", "[" * 5000, "a: b\n--- \nc: d\n"]
)
def test_a_text_that_is_no_policy_is_a_mistake(text: str) -> None:
    assert mistakes(text)[0].line >= 1


def test_a_missing_part_is_named() -> None:
    text = GOOD[: GOOD.index("  watch:")] + GOOD[GOOD.index("  signals:") :]
    assert only(text) == "policy.yaml:5:1: `spec`: expected a key `watch` here: it is required"


def test_only_a_rate_is_averaged_over_pods() -> None:
    assert "only a rate is averaged over pods" in only(changed("      total: ", "      per: pod\n      total: "))


def test_a_rollback_level_that_does_not_fit_into_the_automatic_part_is_a_mistake() -> None:
    short = load(added("window: {automatic: 60s, close: 10m}"), "policy.yaml")
    assert isinstance(short, tuple)
    assert any("of at least the rollback level of the required signal `errors` (5m)" in str(each) for each in short)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[xoxb-1-pLaNtEd]", "`xoxb…`"),
        ("[slack-bot-token, 'https://hooks.slack.com/services/pLaNtEd']", "`http…`"),
        ("xoxb-1-pLaNtEd", "`xoxb…`"),
        ("[{slack-bot-token: xoxb-1-pLaNtEd}]", "`…`"),
        ("[[xoxb-1-pLaNtEd]]", "`[xoxb…]`"),
    ],
)
def test_a_credential_in_place_of_its_keys_name_is_not_shown(written: str, shown: str) -> None:
    said = only(added(f"notify: {{secrets: {written}}}"))
    assert shown in said
    assert "pLaNtEd" not in said

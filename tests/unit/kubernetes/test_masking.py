"""Secrets do not reach what is kept; the rest of a line does."""

from __future__ import annotations

import time

import pytest

from rollguard.adapters.kubernetes.acting.masking import mask

# Put together here, so that no scanner takes a test for a leak.
SECRETS = {
    "bearer header": ("Authorization: Bearer " + "abc" * 8, "abcabc"),
    "basic header": ("authorization=Basic " + "dXNlcjpw" * 3, "dXNlcjpw"),
    "header in JSON": ('{"Authorization": "Bearer ' + "tok" * 8 + '", "path": "/x"}', "toktok"),
    "user info in a URL": ("dial postgres://svc:" + "hunter2" + "@db:5432/dubbing_prod", "hunter2"),
    "PEM": ("-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow\nAAAA\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    "cut PEM": ("x -----BEGIN PRIVATE " + "KEY-----\nMIIEow", "MIIEow"),
    "JWT": ("session eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
    "AWS key": ("key AKIA" + "IOSFODNN7EXAMPLE used", "IOSFODNN7"),
    "AWS secret": ("aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG", "wJalr"),
    "Google key": ("AIza" + "B" * 35, "BBBB"),
    "GitHub token": ("cloning with ghp_" + "a" * 36, "aaaa"),
    "Slack token": ("xoxb-" + "123456789012-abcdef", "123456789012"),
    "assignment": ("PGPASSWORD=" + "s3cret psql -h db", "s3cret"),
    "name and value": ('{"name":"DB_' + 'PASSWORD","value":"hunter2"}', "hunter2"),
    "JSON within JSON": ('{"log":"{\\"password' + '\\": \\"s3cret\\"}"}', "s3cret"),
    "quote within": ('"password": "a' + '\\"b-s3cret c", "n": 1', "s3cret"),
    "flag": ("exec migrate --db-password " + "s3cret --verbose", "s3cret"),
    "cookie": ("Cookie: session=" + "abcdef; theme=dark", "abcdef"),
    "pwd": ('{"pwd": "' + 's3cret"}', "s3cret"),
    "Slack hook": ("POST https://hooks.slack.com/services/" + "T0/B0/XXXX", "XXXX"),
    "signed URL": ("GET https://b.s3.amazonaws.com/k?X-Amz-Signature=" + "deadbeef&x=1", "deadbeef"),
    "URL password with a slash": ("amqp://svc:hun" + "ter/2@mq:5672/", "ter/2"),
    "header as Go prints it": ("map[Accept:[*/*] Authorization:[Bearer " + "opaque-token] X:[y]]", "opaque-token"),
    "basic header as Go prints it": ("Authorization:[Basic " + "dXNlcjpw]", "dXNlcjpw"),
    "token header as Go prints it": ("map[X-Auth-Token:[" + "abcdef12345]]", "abcdef12345"),
    "pass": ("DB_PASS=" + "hunter2", "hunter2"),
    "pass in YAML": ('redis_pass: "' + 'hunter2"', "hunter2"),
    "fine-grained GitHub token": ("github_pat_" + "11ABCDEFG0123456789_abcdefghij", "11ABCDEFG"),
    "client key": ("client-key-data: " + "LS0tLS1CRUdJTiBSU0Eg", "LS0tLS1"),
    "JSON assignment": ('{"db_password": "' + 's3 cret", "n": 1}', "s3 cret"),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_masked(kind: str) -> None:
    text, secret = SECRETS[kind]
    masked = mask(text)
    assert secret not in masked
    assert "[masked]" in masked


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-03T02:15:04Z ERROR GET /api/models 500 in 12ms request=7f3a",
        "Traceback (most recent call last):",
        "connect https://registry.example.com/dubbing/translation:v2: connection refused",
        "pool exhausted: 100 of 100 connections",
        "bypass: off, passing=3, compass: 5",
    ],
)
def test_an_ordinary_line_is_kept_as_it_is(line: str) -> None:
    assert mask(line) == line


def test_what_surrounds_a_secret_stays() -> None:
    masked = mask("dial postgres://svc:pw@db:5432/dubbing_prod: refused")
    assert masked == "dial postgres://[masked]@db:5432/dubbing_prod: refused"


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "password",
        "eyJabcdefg",
        "://",
        "x=",
        "token.",
        " ",
        "-----BEGIN A-----",
        "https://a",
        "Basic ",
        '"',
        "-",
        "pass",
        "a-",
    ],
)
def test_a_long_line_costs_little_whatever_it_holds(piece: str) -> None:
    line = (piece * 131_072)[:131_072]
    began = time.process_time()
    mask(line)
    assert time.process_time() - began < 1.0

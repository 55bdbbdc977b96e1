"""What goes by the proxy of the environment, and what never does."""

from __future__ import annotations

import pytest

from rollguard.adapters.proxies import Proxies

PROXY = "http://proxy.example.com:3128"
ENVIRONMENT = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("https://slack.com/api", ""),
        ("https://api.pagerduty.com", "example.com"),
        ("http://tickets.example.com/hook", "other.example.com"),
        ("https://93.184.216.34/hook", "10.0.0.0/8"),
        ("https://notexample.com", "example.com"),
        ("https://example.com", ".example.com"),
        ("https://tickets.example.com:8443", "tickets.example.com:443"),
        ("https://tickets.example.com", ",, ,"),
    ],
)
def test_what_is_outside_goes_by_the_proxy(url: str, without: str) -> None:
    assert Proxies.of({**ENVIRONMENT, "NO_PROXY": without}).to(url) == PROXY


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("https://tickets.example.com", "example.com"),
        ("https://Tickets.Example.com", ".EXAMPLE.com"),
        ("https://tickets.example.com", "*.example.com"),
        ("https://example.com", "localhost, example.com"),
        ("https://tickets.example.com:8443", "tickets.example.com:8443"),
        ("https://10.96.0.1/hook", "10.0.0.0/8"),
        ("https://10.96.0.1/hook", "10.96.0.1"),
        ("https://[fd00::1]/hook", "fd00::/8"),
        ("https://slack.com", "*"),
    ],
)
def test_what_no_proxy_names_is_reached_directly(url: str, without: str) -> None:
    assert Proxies.of({**ENVIRONMENT, "NO_PROXY": without}).to(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks",
        "http://hooks.monitoring.svc/x",
        "https://hooks.monitoring.svc.cluster.local:8443",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ],
)
def test_what_is_inside_the_cluster_or_on_this_machine_never_goes_by_the_proxy(url: str) -> None:
    assert Proxies.of(ENVIRONMENT).to(url) == ""


def test_each_scheme_has_its_own_proxy_and_small_letters_come_first() -> None:
    assert Proxies.of({}).to("https://slack.com") == ""
    assert Proxies.of({"HTTP_PROXY": PROXY}).to("https://slack.com") == ""
    both = Proxies.of({"HTTPS_PROXY": PROXY, "https_proxy": "small.example.com:3128"})
    assert both.to("https://slack.com") == "http://small.example.com:3128"
    assert both.to("http://slack.com") == ""

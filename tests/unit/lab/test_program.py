"""How the product's container is put into its place on this machine."""

from __future__ import annotations

import pytest

from lab.kubelet.program import is_product, placed

MOUNTS = {"/etc/rollguard": "/lab/policy", "/etc/rollguard/secrets": "/lab/secrets"}


@pytest.mark.parametrize(
    ("argument", "becomes"),
    [
        ("/etc/rollguard/policy.yaml", "/lab/policy/policy.yaml"),
        ("/etc/rollguard/secrets/token", "/lab/secrets/token"),
        ("/etc/rollguardian", "/etc/rollguardian"),
        ("$(POD_IP):9096", "127.244.0.7:9096"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("127.0.0.1:9095", "127.244.0.7:9095"),
        ("run", "run"),
    ],
)
def test_arguments_name_what_is_there_on_this_machine(argument: str, becomes: str) -> None:
    assert placed(argument, {"POD_IP": "127.244.0.7"}, MOUNTS, "127.244.0.7") == becomes


def test_only_the_products_image_runs_the_product() -> None:
    assert all(map(is_product, ("rollguard:0.1.0", "rollguard", "registry.example.com:5000/x/rollguard:v1@sha256:ab")))
    assert not any(map(is_product, ("registry.example.com/rollguard-web:1", "rollguardian:1", "rollguard/app:1")))

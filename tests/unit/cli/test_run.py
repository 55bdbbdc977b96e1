"""What `rollguard run` refuses before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollguard.cli import exits
from rollguard.cli.run import run


@pytest.mark.parametrize("seconds", [2.9, 0.0, -15.0, float("nan")])
def test_a_lease_that_leaves_a_request_no_time_is_refused(seconds: float) -> None:
    with pytest.raises(exits.CommandError, match=r"--lease-seconds .*: expected 3 or more"):
        run(policy=Path("policy.yaml"), lease_seconds=seconds)

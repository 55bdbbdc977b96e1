"""The policy that the controller starts with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rollguard.adapters.clock import SystemClock
from rollguard.adapters.policy_file import PolicyFile
from rollguard.cli import exits
from rollguard.cli.run import run
from rollguard.cli.starting import first
from rollguard.model.action import Unknown
from rollguard.model.policy import Policy
from rollguard.ports import PolicyLost
from tests.unit.policy.texts import GOOD, added, changed, good

EARLIER = good(added("mode: automatic"))
BAD = changed("10%", "much")


class Kept:
    """The kept policies, of which only the newest is asked."""

    def __init__(self, newest: Policy | Unknown | None) -> None:
        self._newest = newest

    async def newest(self, *, timeout: float) -> Policy | Unknown | None:
        return self._newest

    async def keep(self, policy: Policy, *, timeout: float) -> Unknown | None:
        raise NotImplementedError

    async def load(self, digest: str, *, timeout: float) -> Policy | PolicyLost | Unknown:
        raise NotImplementedError

    async def digests(self, *, timeout: float) -> tuple[str, ...] | Unknown:
        raise NotImplementedError

    async def drop(self, digest: str, *, timeout: float) -> Unknown | None:
        raise NotImplementedError


class Starting:
    """A file with that text, and what the log says."""

    def __init__(self, file: Path, text: str) -> None:
        file.write_text(text)
        self.file = file
        self.logged: list[tuple[str, Mapping[str, str | int | float]]] = []

    async def policy(self, newest: Policy | Unknown | None) -> Policy:
        def log(event: str, fields: Mapping[str, str | int | float]) -> None:
            self.logged.append((event, fields))

        source = PolicyFile(self.file, SystemClock())
        return await first(str(self.file), source, Kept(newest), timeout=1.0, log=log)


async def test_a_good_file_counts_whatever_is_kept(tmp_path: Path) -> None:
    starting = Starting(tmp_path / "policy.yaml", GOOD)
    assert await starting.policy(EARLIER) == good(GOOD)
    assert not starting.logged


@pytest.mark.parametrize("text", [BAD, "", "{"], ids=["a mistake", "empty", "no YAML"])
async def test_while_the_file_is_bad_the_policy_that_was_in_force_last_counts_and_the_log_says_so(
    tmp_path: Path, text: str
) -> None:
    starting = Starting(tmp_path / "policy.yaml", text)
    assert await starting.policy(EARLIER) == EARLIER
    *mistakes, said = starting.logged
    assert mistakes and all(event == "policy-mistake" and fields["mistake"] for event, fields in mistakes)
    assert said == (
        "started-under-an-earlier-policy",
        {"instead_of": str(starting.file), "policy": EARLIER.name, "digest": EARLIER.digest, "mistakes": len(mistakes)},
    )


@pytest.mark.parametrize(
    ("newest", "words", "code"),
    [(None, "none is kept", exits.USAGE), (Unknown(detail="connection refused"), "refused", exits.UNREACHABLE)],
)
async def test_where_no_earlier_policy_can_be_had_all_mistakes_end_the_start(
    tmp_path: Path, newest: Unknown | None, words: str, code: int
) -> None:
    starting = Starting(tmp_path / "policy.yaml", BAD)
    with pytest.raises(exits.CommandError) as refused:
        await starting.policy(newest)
    assert f"{starting.file}:18:27:" in str(refused.value)
    assert words in str(refused.value)
    assert refused.value.code == code


def test_without_a_cluster_the_mistakes_of_the_file_are_said(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(BAD)
    with pytest.raises(exits.CommandError, match=":18:27:"):
        run(policy=file, kubeconfig=tmp_path / "nothing", listen="127.0.0.1:0")

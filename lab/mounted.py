"""A Secret as the kubelet mounts it: a directory of symbolic links that change all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DATA = "..data"


@dataclass(slots=True, kw_only=True)
class Mounted:
    """A volume of a Secret that is optional: empty while the Secret is not there."""

    directory: Path
    turns: int = 0

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True)

    def put(self, values: Mapping[str, str]) -> None:
        """The Secret has these keys, and no others, from now on: who reads sees all of the old or all of the new."""
        self.turns += 1
        now = self.directory / f"..{self.turns}"
        now.mkdir()
        for key, value in values.items():
            (now / key).write_text(value)
        made = self.directory / f"{DATA}_tmp"
        made.symlink_to(now.name)
        made.rename(self.directory / DATA)
        for key in values:
            link = self.directory / key
            if not link.is_symlink():
                link.symlink_to(f"{DATA}/{key}")
        for link in self.directory.iterdir():
            if not link.name.startswith("..") and link.name not in values:
                link.unlink()

"""How a lab is made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSettings:
    """How the lab is made. Without `workdir` its files live in a temporary directory that goes with it.

    `startup_s` bounds how long a container takes to serve; `backoff_scale` 1 is a kubelet's 10 s, 20 s, 40 s.
    """

    workdir: Path | None = None
    seed: int = 1
    nodes: tuple[str, ...] = ("node-a", "node-b")
    scrape_interval: str = "1s"
    startup_s: tuple[float, float] = (0.5, 2.0)
    backoff_scale: float = 1.0
    say: Callable[[str], None] = lambda _text: None

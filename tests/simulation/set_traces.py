"""What a set's way back looks like from the API server: selectors, endpoints, replicas, steps in order, without times.

A story of the lab is recorded in this form (`python -m tests.simulation.record set-errors`), and the simulator must
show the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
RECORDED = Path(__file__).parent / "traces" / "sets"


@dataclass(slots=True, kw_only=True)
class SetTrace:
    """One set's story. Each list has what an object went through, without repeats."""

    story: str
    selectors: dict[str, list[str]] = field(default_factory=dict)
    """By Service: the colour, and behind it the number of the step that wrote it, where one did."""
    endpoints: dict[str, list[str]] = field(default_factory=dict)
    """By Service: the colours of its ready endpoints, from the first that is there."""
    replicas: dict[str, list[int]] = field(default_factory=dict)
    """By Deployment: the pods that it asks for."""
    states: list[str] = field(default_factory=list)
    passages: list[str] = field(default_factory=list)
    """As they are at the end, as the rest."""
    steps: list[str] = field(default_factory=list)
    outcome: str = ""

    def select(self, service: str, colour: str, receipt: str) -> None:
        """One write of a Service; `receipt` is the annotation that a step leaves."""
        step = receipt.rpartition("/")[2]
        _add(self.selectors.setdefault(service, []), f"{colour} {step}".strip())

    def serve(self, service: str, pods: Iterable[str]) -> None:
        """One state of a Service's ready endpoints, by the names of their pods."""
        colours = ",".join(sorted({pod.split("-")[1] for pod in pods}))
        known = self.endpoints.setdefault(service, [])
        if colours or known:
            _add(known, colours)

    def scale(self, deployment: str, replicas: int) -> None:
        """One write of a Deployment."""
        _add(self.replicas.setdefault(deployment, []), replicas)

    def follow(self, state: str, outcome: str, passages: list[str], steps: list[str]) -> None:
        """One write of the set's rollout."""
        _add(self.states, state)
        self.outcome, self.passages, self.steps = outcome, passages, steps

    def text(self) -> str:
        """The file."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def read(cls, file: Path) -> SetTrace:
        """What `text` wrote."""
        return cls(**json.loads(file.read_text()))


def _add(known: list[T], seen: T) -> None:
    if known[-1:] != [seen]:
        known.append(seen)

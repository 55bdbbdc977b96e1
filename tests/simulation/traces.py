"""What a release looks like from the API server: the order of generations, revisions and outcomes, without times.

The lab's stories are recorded in this form (`python -m tests.simulation.record`), and the simulator must show the same.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

RECORDED = Path(__file__).parent / "traces"


@dataclass(frozen=True, slots=True)
class Seen:
    """A Deployment as a write left it; `revision` is that of its annotation, 0 while there is none."""

    generation: int
    observed: int
    revision: int
    tag: str


@dataclass(slots=True, kw_only=True)
class Passed:
    """A rollout under guard: the states that it went through, how it stands at the end, and what was put back."""

    revision: int
    states: list[str] = field(default_factory=list)
    verdict: str = ""
    outcome: str = ""
    restored: int | None = None


@dataclass(slots=True, kw_only=True)
class Trace:
    """One workload's story. `acts` are (generation, tag) of what people or their tools released, in order."""

    story: str
    replicas: int
    acts: list[tuple[int, str]] = field(default_factory=list)
    deployment: list[Seen] = field(default_factory=list)
    complete: list[tuple[int, int, int]] = field(default_factory=list)
    """(generation, revision, replicas) whenever all pods had become those of the spec."""
    rollouts: list[Passed] = field(default_factory=list)

    def see(self, seen: Seen, *, receipt: str, complete: int | None) -> None:
        """One more write of the Deployment; `complete` is the number of pods where all of them are as asked for."""
        if not self.deployment or (self.deployment[-1].tag != seen.tag and receipt in ("", self._receipt)):
            self.acts.append((seen.generation, seen.tag))
        self._receipt = receipt
        if not self.deployment or self.deployment[-1] != seen:
            self.deployment.append(seen)
        row = (seen.generation, seen.revision, complete or 0)
        if complete is not None and row not in self.complete:
            self.complete.append(row)

    _receipt: str = ""

    def text(self) -> str:
        """The file: a line for each thing seen."""
        plain = asdict(self)
        del plain["_receipt"]
        rows = ",\n".join(f"  {json.dumps(key)}: {_lines(value)}" for key, value in plain.items())
        return f"{{\n{rows}\n}}\n"

    @classmethod
    def read(cls, file: Path) -> Trace:
        """What `text` wrote."""
        plain = json.loads(file.read_text())
        plain["acts"] = [(generation, tag) for generation, tag in plain["acts"]]
        plain["deployment"] = [Seen(**row) for row in plain["deployment"]]
        plain["complete"] = [(generation, revision, replicas) for generation, revision, replicas in plain["complete"]]
        plain["rollouts"] = [Passed(**row) for row in plain["rollouts"]]
        return cls(**plain)


def _lines(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(f"    {json.dumps(row)}" for row in value) + "\n  ]"

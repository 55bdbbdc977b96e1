"""Stories that are played in the lab and told second by second.

A story is a module of this package with a one-line docstring and `async def play(stage: Stage) -> None`. It
raises ScenarioError where the lab did something else than the story says.
"""

import importlib
import pkgutil
import time
from types import ModuleType

from lab.scenarios.stage import ScenarioError, Stage
from lab.world import Lab, LabSettings

HELPERS = {"stage"}
__all__ = ["ScenarioError", "Stage", "known", "play"]


def known() -> dict[str, str]:
    """The stories' names, each with its summary."""
    names = (module.name for module in pkgutil.iter_modules(__path__) if module.name not in HELPERS)
    return {name.replace("_", "-"): (_module(name).__doc__ or "").strip() for name in sorted(names)}


async def play(name: str, settings: LabSettings) -> int:
    """Plays one story in a lab of its own; returns 0, or raises ScenarioError where it went wrong."""
    if name not in known():
        raise ScenarioError(f"no scenario {name!r}; there are: {', '.join(known())}")
    story = _module(name.replace("-", "_"))
    async with Lab.up(settings) as lab:
        stage = Stage(lab=lab, started=time.monotonic())
        async with stage.watching():
            await story.play(stage)
        stage.tell("done")
    return 0


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")

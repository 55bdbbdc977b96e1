"""Stories that are played in the lab and told second by second.

A story is a module of this package with a one-line docstring and `async def play(stage: Stage) -> None`. It
raises ScenarioError where the lab did something else than the story says.
"""

import importlib
import pkgutil
from functools import partial
from types import ModuleType

from lab.scenarios.stage import ScenarioError, Stage
from lab.world import Lab, LabSettings

HELPERS = {"reaction", "sets", "stage", "words"}
__all__ = ["ScenarioError", "Stage", "known", "play", "play_on"]


def known() -> dict[str, str]:
    """The stories' names, each with its summary."""
    names = (module.name for module in pkgutil.iter_modules(__path__) if module.name not in HELPERS)
    return {name.replace("_", "-"): (_module(name).__doc__ or "").strip() for name in sorted(names)}


async def play(name: str, settings: LabSettings) -> int:
    """Plays one story in a lab of its own; returns 0, or raises ScenarioError where it went wrong."""
    if name not in known():
        raise ScenarioError(f"no scenario {name!r}; there are: {', '.join(known())}")
    async with Lab.up(settings) as lab:
        stage = Stage(lab=lab, account=await lab.install(), say=partial(print, flush=True))
        await play_on(stage, name)
    return 0


async def play_on(stage: Stage, name: str) -> None:
    """Plays one story on a stage that is set; raises ScenarioError where it went wrong."""
    story = _module(name.replace("-", "_"))
    async with stage.watching():
        await story.play(stage)
        stage.tell("done")


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")

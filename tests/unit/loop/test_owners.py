"""What surrounds a release keeps the guard from acting alone, from the record of the good revision to the notice."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from rollguard.model.facts import Configuration, Owner, Tool
from rollguard.model.policy import OwnerRule, Owners, QuietWindow
from rollguard.model.time import Instant
from rollguard.sim.objects import SimDeployment, at
from rollguard.sim.process import EPOCH
from tests.simulation import policies
from tests.unit.loop.stage import CRASHING, GOOD, Stage, play

FLUX = Owner(tool=Tool.FLUX_KUSTOMIZATION, name="apps", namespace="flux-system")


def settings(stage: Stage, fingerprint: str) -> None:
    seen = {"ConfigMap/settings": fingerprint}
    stage.world.configuration = Configuration(kinds=frozenset({"ConfigMap"}), fingerprints=seen)


async def settled(stage: Stage, deployment: SimDeployment) -> None:
    """The guard runs, and knows what the deployment may go back to."""
    await asyncio.sleep(30)
    stage.world.backdate(deployment, 2 * 86400.0)
    stage.start()

    def adopted() -> bool:
        unit = stage.unit(deployment)
        return unit is not None and unit.adopted is not None

    await stage.until(adopted)


async def held(stage: Stage, deployment: SimDeployment) -> str:
    """The notice of the hold after a crashing release, which is left alone."""
    stage.world.set_image(deployment, CRASHING)
    await stage.until(lambda: bool(stage.told("hold")))
    assert deployment.template.images[0][1] == CRASHING
    return stage.told("hold")[0]


@pytest.mark.parametrize("changed", [True, False])
def test_a_config_map_that_changed_since_the_revision_was_good_holds_and_an_unchanged_one_does_not(
    changed: bool,
) -> None:
    async def story(stage: Stage) -> None:
        settings(stage, "a")
        shop = stage.world.deploy("shop", GOOD, rps=30, labels=(("guarded", "yes"),), config="settings")
        await settled(stage, shop)
        unit = stage.unit(shop)
        assert unit is not None
        assert unit.adopted is not None
        assert unit.adopted.config == (("ConfigMap/settings", "a"),)
        assert [container for container, _ in unit.adopted.image_ids] == ["app"]
        if changed:
            settings(stage, "b")
            assert "ConfigMap/settings changed since revision 1 was good" in await held(stage, shop)
        else:
            stage.world.set_image(shop, CRASHING)
            await stage.until(lambda: bool(shop.template.images[0][1] == GOOD))

    play(story)


@pytest.mark.parametrize("rule", list(OwnerRule))
def test_what_flux_owns_is_held_with_the_next_step_unless_the_policy_ignores_owners(rule: OwnerRule) -> None:
    async def story(stage: Stage) -> None:
        shop = stage.world.deploy("shop", GOOD, rps=30, labels=(("guarded", "yes"),), owners=(FLUX,))
        await settled(stage, shop)
        if rule is OwnerRule.HOLD:
            assert "`flux suspend kustomization apps -n flux-system`" in await held(stage, shop)
        else:
            stage.world.set_image(shop, CRASHING)
            await stage.until(lambda: bool(shop.template.images[0][1] == GOOD))

    play(story, policy=replace(policies.policy(), owners=Owners(gitops=rule)))


def test_in_a_quiet_window_a_bad_release_is_held_and_undone_when_the_window_ends() -> None:
    end = Instant(math.ceil((EPOCH + 100) / 60) * 60.0)
    minute = int(end.seconds % 86400 // 60)
    window = QuietWindow(
        name="nights", days=(), begin=(minute + 720) % 1440, end=minute, time_zone="UTC", reason="batch jobs"
    )

    async def story(stage: Stage) -> None:
        await settled(stage, stage.api)
        assert f"the quiet window nights lasts until {end.iso()} (batch jobs)" in await held(stage, stage.api)
        await stage.until(lambda: stage.image() == GOOD, within=600)
        now = at(stage.world.loop.time())
        assert end <= now < end.plus(5)

    play(story, policy=replace(policies.policy(), maintenance=(window,)))


def test_whose_a_workload_is_stands_in_its_unit_and_leaves_with_the_tool() -> None:
    async def story(stage: Stage) -> None:
        stage.api.owners = (FLUX,)
        stage.start()
        await stage.until(lambda: (unit := stage.unit()) is not None and bool(unit.owners), within=30)
        unit = stage.unit()
        assert unit is not None
        assert unit.owners == ("Flux Kustomization flux-system/apps",)
        stage.api.owners = ()
        stage.world.watching.touch(stage.api)
        await stage.until(lambda: (unit := stage.unit()) is not None and not unit.owners, within=60)

    play(story)

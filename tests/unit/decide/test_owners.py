"""What the interlocks about owners and surroundings say: what to do, and what was not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard import decide
from rollguard.model.facts import Configuration, Owner, Tool, UnitFacts
from rollguard.model.situation import Situation
from rollguard.model.time import Instant
from tests.unit.decide.owner_cases import FLUX, HELM, NIGHT, PENDING_RELEASE, configured, owned, ran, revision_of
from tests.unit.decide.situations import GOOD, NOW, Look, situation, verdict, workload


def says(look: Look, name: str) -> str:
    decision = decide.decide(look.situation, look.verdict, look.now)
    return next(s.reason for s in decision.interlocks if s.name == name)


def recalled(config: tuple[str, ...], seen: Configuration, then: tuple[tuple[str, str], ...]) -> Situation:
    """The good revision is still recorded, and its template refers to `config`."""
    s = situation()
    member = replace(workload(), revisions=(revision_of(GOOD.hash, config=config),))
    facts: UnitFacts = replace(s.facts, members=(member,), config=seen)
    return replace(s, facts=facts, unit=replace(s.unit, healthy=(replace(GOOD, config=then),)))


def test_secrets_that_nobody_looked_at_are_named_and_forbid_nothing() -> None:
    seen = Configuration(kinds=frozenset({"ConfigMap"}), fingerprints={"ConfigMap/app": "a1"})
    s = recalled(("ConfigMap/app", "Secret/db"), seen, (("ConfigMap/app", "a1"),))
    said = says(Look(s, verdict()), "configuration changed")
    assert said == (
        "1 of its ConfigMaps and Secrets are as they were;"
        " not known of Secret/db: Secrets were not looked at (spec.secrets: none, or no right)"
    )


def test_config_maps_that_could_not_be_looked_at_are_named_and_forbid_nothing() -> None:
    s = recalled(("ConfigMap/app",), Configuration(), (("ConfigMap/app", "a1"),))
    said = says(Look(s, verdict()), "configuration changed")
    assert said.endswith("not known of ConfigMap/app: ConfigMaps were not looked at")


def test_what_was_not_seen_when_the_revision_was_good_is_no_change() -> None:
    seen = Configuration(kinds=frozenset({"ConfigMap", "Secret"}), fingerprints={"ConfigMap/app": "a1"})
    said = says(Look(recalled(("ConfigMap/app",), seen, ()), verdict()), "configuration changed")
    assert said.endswith("not known of ConfigMap/app: the guard did not see it when the revision was good")


def test_the_changed_ones_are_named() -> None:
    look = configured({"ConfigMap/app": "a2", "Secret/db": "8"})
    assert says(look, "configuration changed").startswith("ConfigMap/app, Secret/db changed since revision 1 was good")


def test_an_image_named_by_its_digest_cannot_move() -> None:
    look = ran(("app", "@sha256:1"), later="r@sha256:2", image="registry/translation@sha256:1")
    s = look.situation
    good = replace(s.unit.healthy[0], images=(("app", "registry/translation@sha256:1"),))
    pinned = Look(replace(s, unit=replace(s.unit, healthy=(good,))), look.verdict)
    assert says(pinned, "image digest moved") == "its images' digests were not seen while it was good"


def test_an_old_pod_that_was_started_again_under_another_digest_counts_whenever_it_was_created() -> None:
    look = ran(("app", "@sha256:1"), later="r@sha256:2", created=GOOD.since.plus(-60), hash_=GOOD.hash)
    assert "gives sha256:2 now, not what revision 1 ran" in says(look, "image digest moved")


@pytest.mark.parametrize(
    ("owner", "next_step"),
    [
        (Owner(tool=Tool.ARGO_CD, name="shop", namespace=""), "argocd app set shop --sync-policy none"),
        (Owner(tool=Tool.ARGO_CD, name="shop", namespace="team"), "argocd app set team/shop --sync-policy none"),
        (Owner(tool=Tool.ARGO_CD, name="", namespace=""), "argocd app set APPLICATION --sync-policy none"),
        (FLUX, "flux suspend kustomization shop -n flux-system"),
        (replace(FLUX, tool=Tool.FLUX_HELM), "flux suspend helmrelease shop -n flux-system"),
    ],
)
def test_a_gitops_owner_is_named_with_the_next_step(owner: Owner, next_step: str) -> None:
    said = says(owned(owner), "GitOps owner")
    assert owner.tool.value in said
    assert "would apply the bad version again" in said
    assert f"`{next_step}`" in said
    assert said.endswith("revert in git")


def test_a_pending_release_says_what_to_do_with_helm() -> None:
    said = says(owned(HELM, PENDING_RELEASE, looked=True), "Helm release under way")
    assert "shop is pending-upgrade (version 7)" in said
    assert "`helm history shop -n production`" in said
    assert "`helm rollback shop -n production`" in said


def test_an_unknown_state_of_a_release_names_both_ways_out() -> None:
    blind = says(owned(HELM), "Helm release under way")
    assert "`spec.secrets: metadata`" in blind
    assert "`spec.helm: ignore`" in blind
    looked = says(owned(HELM, looked=True), "Helm release under way")
    assert "no record of it is seen" in looked


def test_it_is_decided_again_when_the_quiet_window_ends() -> None:
    soon = Instant(NOW.seconds // 60 * 60 + 120)
    end = int(soon.seconds % 86400 // 60)
    window = replace(NIGHT, begin=(end + 720) % 1440, end=end)
    s = replace(situation(), maintenance=(window,))
    decision = decide.decide(s, verdict(), NOW)
    assert decision.wake_at == soon
    assert f"the quiet window nights lasts until {soon.iso()} (batch jobs)" in decision.reason

"""Looks at which the interlocks about owners and surroundings forbid, each beside one at which they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rollguard.model.facts import (
    ABSENT,
    Configuration,
    Container,
    HelmRelease,
    Owner,
    Pod,
    Revision,
    Tool,
)
from rollguard.model.names import TemplateHash
from rollguard.model.policy import OwnerRule, QuietWindow
from rollguard.model.records import UnitRecord
from rollguard.model.time import Instant
from tests.unit.decide.situations import BAD_TEMPLATE, GOOD, NOW, Case, Look, facts, situation, verdict, workload
from tests.unit.records import WORKLOAD

BAD = TemplateHash("bad")
SETTINGS_THEN = (("ConfigMap/app", "a1"), ("Secret/db", "7"))
NIGHT = QuietWindow(name="nights", days=(), begin=0, end=1440, time_zone="UTC", reason="batch jobs")
ARGO = Owner(tool=Tool.ARGO_CD, name="shop", namespace="")
FLUX = Owner(tool=Tool.FLUX_KUSTOMIZATION, name="shop", namespace="flux-system")
HELM = Owner(tool=Tool.HELM, name="shop", namespace="production")
PENDING_RELEASE = HelmRelease(name="shop", namespace="production", version=7, status="pending-upgrade")


def good(**changes: object) -> UnitRecord:
    """The unit whose good revision is remembered with these marks."""
    return replace(situation().unit, healthy=(replace(GOOD, **changes),))  # type: ignore[arg-type]


def configured(now: Mapping[str, str], *kinds: str, then: tuple[tuple[str, str], ...] = SETTINGS_THEN) -> Look:
    config = Configuration(kinds=frozenset(kinds or ("ConfigMap", "Secret")), fingerprints=now)
    s = situation()
    return Look(replace(s, unit=good(config=then), facts=replace(s.facts, config=config)), verdict())


def revision_of(hash_: TemplateHash, **changes: object) -> Revision:
    template = replace(BAD_TEMPLATE, **changes)  # type: ignore[arg-type]
    return Revision(hash=hash_, number=2, uid="rs", created=NOW, template=template, replicas=1, ready=1)


def ran(
    *then: tuple[str, str],
    later: str,
    image: str = "registry/translation:v2",
    created: Instant = NOW,
    hash_: TemplateHash = BAD,
) -> Look:
    """The good revision's container ran with `then`; a pod of another one, of that image, runs with `later`."""
    box = Container(name="app", in_template=True, init=False, image=image, image_id=later, ready=True, restarts=0)
    pod = Pod(
        name="translation-1",
        uid="p",
        workload=WORKLOAD,
        revision=hash_,
        node="n",
        phase="Running",
        created=created,
        ready=True,
        ready_since=NOW,
        deleting=False,
        containers=(box,),
    )
    s = situation()
    member = replace(workload(), revisions=(revision_of(hash_, images=(("app", image),)),))
    known = good(images=(("app", "registry/translation:v2"),), image_ids=then)
    return Look(replace(s, unit=known, facts=replace(facts(member), pods=(pod,))), verdict())


def owned(owner: Owner, *releases: HelmRelease, looked: bool = False, **rules: object) -> Look:
    s = situation()
    kinds = frozenset({"ConfigMap", "Secret"} if looked else {"ConfigMap"})
    member = replace(workload(), owners=(owner,))
    seen = replace(facts(member), helm=releases, config=Configuration(kinds=kinds))
    return Look(replace(s, facts=seen, owners=replace(s.owners, **rules)), verdict())  # type: ignore[arg-type]


def quiet(*windows: QuietWindow) -> Look:
    return Look(replace(situation(), maintenance=windows), verdict())


OWNERS = (
    Case(
        "configuration changed",
        configured({"ConfigMap/app": "a2", "Secret/db": "7"}),
        configured({"ConfigMap/app": "a1", "Secret/db": "7"}),
    ),
    Case(
        "configuration changed",
        configured({"ConfigMap/app": "a1", "Secret/db": "8"}),
        configured({"ConfigMap/app": "a1", "Secret/db": "8"}, "ConfigMap"),
    ),
    Case("configuration changed", configured({"Secret/db": "7"}), configured({}, "nothing")),
    Case(
        "configuration changed",
        configured({"ConfigMap/extra": "e"}, then=(("ConfigMap/extra", ABSENT),)),
        configured({"ConfigMap/other": "e"}, then=(("ConfigMap/extra", ABSENT),)),
    ),
    Case(
        "image digest moved",
        ran(("app", "@sha256:1"), later="r@sha256:2"),
        ran(("app", "@sha256:1"), later="m@sha256:1"),
    ),
    Case(
        "image digest moved", ran(("app", "@sha256:1"), later="r@sha256:2"), ran(("app", "@sha256:1"), later="sha256:2")
    ),
    Case(
        "image digest moved",
        ran(("app", "@sha256:1"), later="r@sha256:2"),
        ran(("app", "@sha256:1"), later="r@sha256:2", image="registry/translation:v3"),
    ),
    Case(
        "image digest moved",
        ran(("app", "@sha256:1"), later="r@sha256:2"),
        ran(("app", "@sha256:1"), later="r@sha256:2", created=GOOD.since),
    ),
    Case(
        "image digest moved",
        ran(("app", "@sha256:1"), ("app", "@sha256:2"), later=""),
        ran(("app", "@sha256:1"), later=""),
    ),
    Case("quiet window", quiet(NIGHT), quiet(replace(NIGHT, begin=0, end=1))),
    Case("GitOps owner", owned(ARGO), owned(ARGO, gitops=OwnerRule.IGNORE)),
    Case("GitOps owner", owned(FLUX), Look(situation(), verdict())),
    Case(
        "Helm release under way",
        owned(HELM, PENDING_RELEASE, looked=True),
        owned(HELM, replace(PENDING_RELEASE, status="deployed"), looked=True),
    ),
    Case("Helm release under way", owned(HELM), owned(HELM, helm=OwnerRule.IGNORE)),
)

"""A revision as one that may be gone back to, with what it ran on while it was good."""

from __future__ import annotations

from rollguard.model.facts import Configuration, Pod, Revision, Template, UnitFacts
from rollguard.model.names import TemplateHash
from rollguard.model.records import GoodRevision
from rollguard.model.time import Instant

CONFIG_MAX = 32
"""References of one revision whose fingerprints are kept; of those beyond nothing is known later."""
IMAGE_IDS_MAX = 32
DIGEST_MAX = 128


def good_revision(revision: Revision, facts: UnitFacts, since: Instant, saved: str = "") -> GoodRevision:
    """The revision as the facts show it now; what they do not show is left out."""
    return GoodRevision(
        hash=revision.hash,
        number=revision.number,
        digest=revision.template.digest,
        bare_digest=revision.template.bare_digest,
        images=revision.template.images,
        since=since,
        saved=saved,
        config=fingerprints(revision.template, facts.config),
        image_ids=image_ids(facts.pods, revision.hash),
    )


def fingerprints(template: Template, config: Configuration) -> tuple[tuple[str, str], ...]:
    """Fingerprints of what the template refers to, as far as it was looked at."""
    seen = ((name, config.fingerprint(name)) for name in template.config)
    return tuple((name, found) for name, found in seen if found is not None)[:CONFIG_MAX]


def image_ids(pods: tuple[Pod, ...], revision: TemplateHash) -> tuple[tuple[str, str], ...]:
    """(container, digest) as the revision's pods run now, each once and sorted."""
    found = {
        (container.name, content_of(container.image_id))
        for pod in pods
        if pod.revision == revision
        for container in pod.containers
        if container.in_template and container.image_id
    }
    return tuple(sorted(found))[:IMAGE_IDS_MAX]


def content_of(image_id: str) -> str:
    """What of a container's imageID names the content.

    `registry/app@sha256:1` (a repository's digest) becomes `@sha256:1`, the same from every mirror; `sha256:1` (an
    image's configuration) stays. The two forms name different things and cannot be compared.
    """
    _, at, digest = image_id.rpartition("@")
    return (at + digest)[:DIGEST_MAX]

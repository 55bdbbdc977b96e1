"""All files that a policy is rendered to. Each kind of file is a function of its own module, named here once."""

from __future__ import annotations

from dataclasses import dataclass

from rollguard.model.policy import Policy
from rollguard.render.alerts import alerts, recordings, rule_files, test_file
from rollguard.render.automation import automation
from rollguard.render.dashboards import dashboards
from rollguard.render.file import File
from rollguard.render.installation import Installation
from rollguard.render.labels import Object
from rollguard.render.pages.guides import guides
from rollguard.render.pages.runbooks import runbooks
from rollguard.render.retention.small import small
from rollguard.render.retention.thanos import halted, thanos
from rollguard.render.routing import routing


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What the files are made from."""

    installation: Installation
    """The guard that the manifests install; its policy is the source of everything."""
    definitions: tuple[Object, ...]
    """The definitions and the admission policy."""

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.installation.policy


def files(wanted: Rendering) -> tuple[File, ...]:
    """Every file, in the order of their paths. The same policy gives the same bytes."""
    policy, guard = wanted.policy, wanted.installation.namespace
    every = (*alerts(policy, namespace=guard), halted(policy, guard))
    made = (
        *automation(wanted.installation, wanted.definitions),
        *routing(policy, guard),
        *rule_files(policy, namespace=guard),
        test_file(policy, namespace=guard),
        *dashboards(policy, guard),
        *runbooks(policy, every, guard),
        *guides(policy, every, guard),
        *thanos(policy, guard),
        *small(policy, recordings(policy), guard),
    )
    return tuple(sorted(made, key=lambda each: each.path))

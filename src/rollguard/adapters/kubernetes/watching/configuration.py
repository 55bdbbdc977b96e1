"""ConfigMaps and Secrets as fingerprints, and Helm's releases by the labels of their records. No values are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import msgspec

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.objects import wire
from rollguard.adapters.kubernetes.watching.reflector import Change, Collection, Reflector
from rollguard.adapters.numbers import whole_number
from rollguard.model.facts import Configuration, HelmRelease, Tool, Workload
from rollguard.record.names import LABEL_ROLLOUT

CONFIG_MAP, SECRET = "ConfigMap", "Secret"
DIGITS = 16
PAGE = 50
"""ConfigMaps in one answer: each may have a megabyte."""
RELEASE_PREFIX = "sh.helm.release.v1."

_CONFIG_MAPS = msgspec.json.Decoder(wire.ConfigMap)
_METADATA = msgspec.json.Decoder(wire.OnlyMeta)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigObject:
    """What is kept of a ConfigMap or Secret; `release` is None where it is no record of Helm's."""

    fingerprint: str
    release: HelmRelease | None


def config_map(raw: msgspec.Raw) -> ConfigObject:
    """A ConfigMap by the hash of its contents."""
    found = _CONFIG_MAPS.decode(raw)
    contents = msgspec.json.encode((found.data or {}, found.binary_data or {}), order="sorted")
    return ConfigObject(fingerprint=hashlib.sha256(contents).hexdigest()[:DIGITS], release=_release(found.metadata))


def secret(raw: msgspec.Raw) -> ConfigObject:
    """A Secret by its version: nothing but its metadata was asked for."""
    meta = _METADATA.decode(raw).metadata
    return ConfigObject(fingerprint=f"version {meta.resource_version}", release=_release(meta))


def _release(meta: wire.Meta) -> HelmRelease | None:
    labels = meta.labels or {}
    if labels.get("owner") != "helm" or not meta.name.startswith(RELEASE_PREFIX):
        return None
    return HelmRelease(
        name=labels.get("name", ""),
        namespace=meta.namespace,
        version=whole_number(labels.get("version", "")) or 0,
        status=labels.get("status", ""),
    )


class Fingerprints:
    """The fingerprints of one namespace, as a view that is made anew only after a change."""

    def __init__(self) -> None:
        self._now: dict[str, str] = {}
        self._view: Mapping[str, str] | None = None
        self._releases: dict[str, HelmRelease] = {}

    def noted(self, kind: str, change: Change[ConfigObject]) -> None:
        """Takes one change in."""
        reference = f"{kind}/{change.key[1]}"
        self._releases.pop(reference, None)
        if change.new is None:
            self._now.pop(reference, None)
            self._view = None
            return
        if change.new.release is not None:
            self._releases[reference] = change.new.release
        if self._now.get(reference) != change.new.fingerprint:
            self._now[reference] = change.new.fingerprint
            self._view = None

    def configuration(self, kinds: Iterable[str]) -> Configuration:
        """The fingerprints; only those of `kinds` are told."""
        if self._view is None:
            self._view = MappingProxyType(dict(self._now))
        return Configuration(kinds=frozenset(kinds), fingerprints=self._view)

    def release(self, name: str, kinds: Container[str]) -> HelmRelease | None:
        """The newest record of a release among objects of `kinds`; None where none is seen."""
        seen = (each for at, each in self._releases.items() if at.partition("/")[0] in kinds)
        own = (each for each in seen if each.name == name)
        return max(own, key=lambda each: each.version, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """The copies of one namespace's ConfigMaps, and of its Secrets' metadata where the policy lets them be seen."""

    config_maps: Reflector[ConfigObject]
    secrets: Reflector[ConfigObject] | None
    fingerprints: Fingerprints

    @property
    def watches(self) -> tuple[Reflector[ConfigObject], ...]:
        """All of them."""
        return (self.config_maps,) if self.secrets is None else (self.config_maps, self.secrets)

    def configuration(self) -> Configuration:
        """What they show; a copy that is not in sync shows nothing."""
        return self.fingerprints.configuration(self._kinds())

    def release(self, name: str) -> HelmRelease | None:
        """The newest record of a Helm release; None where none is seen now."""
        return self.fingerprints.release(name, self._kinds())

    def _kinds(self) -> frozenset[str]:
        named = ((CONFIG_MAP, self.config_maps), (SECRET, self.secrets))
        return frozenset(kind for kind, copy in named if copy is not None and copy.in_sync)


Make = Callable[[Collection[ConfigObject], Callable[[Change[ConfigObject]], None]], Reflector[ConfigObject]]


def copies(namespace: str, make: Make, *, secrets: bool) -> Copies:
    """The copies of a namespace, made by `make` and not yet running."""
    fingerprints = Fingerprints()
    config_maps = Collection(
        name=f"ConfigMaps in {namespace}",
        list_right=rights.LIST_CONFIGMAPS,
        watch_right=rights.WATCH_CONFIGMAPS,
        namespace=namespace,
        convert=config_map,
        label_selector=f"!{LABEL_ROLLOUT}",  # our own evidence is large, and nobody's configuration
        page=PAGE,
    )
    metadata = Collection(
        name=f"Secrets in {namespace}",
        list_right=rights.LIST_SECRETS,
        watch_right=rights.WATCH_SECRETS,
        namespace=namespace,
        convert=secret,
        metadata_only=True,
    )
    return Copies(
        config_maps=make(config_maps, partial(fingerprints.noted, CONFIG_MAP)),
        secrets=make(metadata, partial(fingerprints.noted, SECRET)) if secrets else None,
        fingerprints=fingerprints,
    )


def releases(members: Iterable[Workload], copies_of: Callable[[str], Copies | None]) -> tuple[HelmRelease, ...]:
    """The newest record of each Helm release that a member comes from; without a status where none is seen."""
    found: list[HelmRelease] = []
    for owner in (owner for member in members for owner in member.owners if owner.tool is Tool.HELM):
        seen = copies_of(owner.namespace)
        release = seen.release(owner.name) if seen is not None else None
        found.append(release or HelmRelease(name=owner.name, namespace=owner.namespace))
    return tuple(found)

"""Pairs of Deployments, blue and green behind one Service, in what was found on a cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from rollguard.adapters.kubernetes.survey.landscape import DeploymentFound, ServiceFound
from rollguard.policy.sets import COLOURS, MEMBERS

Colours = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFound:
    """Two Deployments `<name>-<colour>`, and the Service that chooses between them; empty where none does."""

    name: str
    service: str
    deployments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFound:
    """The pairs of a namespace that are told apart by the same label and have the same colours."""

    namespace: str
    key: str
    colours: Colours
    pairs: tuple[PairFound, ...]

    def deployments(self) -> frozenset[tuple[str, str]]:
        """(namespace, name) of all of them."""
        return frozenset((self.namespace, name) for pair in self.pairs for name in pair.deployments)


@dataclass(slots=True)
class Pairing:
    """The sets that were found, and what is to be said of them."""

    sets: list[SetFound] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def paired(deployments: tuple[DeploymentFound, ...], services: tuple[ServiceFound, ...]) -> Pairing:
    """The sets by namespace: pairs that a Service chooses between, and beside them those without one."""
    found = Pairing()
    for namespace in sorted({each.namespace for each in deployments}):
        mine = [each for each in deployments if each.namespace == namespace]
        choosing = [each for each in services if each.namespace == namespace]
        _of_namespace(found, namespace, mine, choosing)
    return found


def _of_namespace(
    found: Pairing, namespace: str, deployments: list[DeploymentFound], services: list[ServiceFound]
) -> None:
    by_colours: defaultdict[tuple[str, Colours], dict[str, PairFound]] = defaultdict(dict)
    for key, name, colours in _twos(deployments):
        sides = [each for each in deployments if each.name in {f"{name}-{colour}" for colour in colours}]
        choosing = sorted(each.name for each in services if _chooses(each, key, colours, sides))
        pair = PairFound(
            name=name, service=choosing[0] if choosing else "", deployments=tuple(each.name for each in sides)
        )
        by_colours[key, colours][name] = pair
        if len(choosing) > 1:
            found.remarks.append(
                f"{namespace}: several Services choose between the colours of {name} ({', '.join(choosing)}): only "
                f"{choosing[0]} is switched with it"
            )
    for (key, colours), pairs in sorted(by_colours.items()):
        if not any(pair.service for pair in pairs.values()):
            continue
        if len(pairs) > MEMBERS:
            found.remarks.append(
                f"{namespace}: {len(pairs)} pairs {'/'.join(colours)}, and a release set has at most {MEMBERS}: they "
                f"are watched each by itself; name those under releaseSet that are switched together"
            )
            continue
        of_set = tuple(sorted(pairs.values(), key=lambda pair: (not pair.service, pair.name)))
        found.sets.append(SetFound(namespace=namespace, key=key, colours=colours, pairs=of_set))


def _twos(deployments: list[DeploymentFound]) -> Iterator[tuple[str, str, Colours]]:
    """(label, name, colours): two Deployments `<name>-<value>`, each with its value of that label on its pods."""
    values: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for each in deployments:
        for key, value in each.pod_labels:
            name = each.name.removesuffix(f"-{value}")
            if value and name and name != each.name:
                values[key, name].add(value)
    for (key, name), found in sorted(values.items()):
        if len(found) == COLOURS:
            yield key, name, tuple(sorted(found))


def _chooses(service: ServiceFound, key: str, colours: Colours, sides: list[DeploymentFound]) -> bool:
    rest = {(label, value) for label, value in service.selector if label != key}
    return dict(service.selector).get(key) in colours and all(rest <= set(side.pod_labels) for side in sides)

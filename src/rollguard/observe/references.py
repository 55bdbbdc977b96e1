"""Which ConfigMaps and Secrets a pod template refers to."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


class _Name(msgspec.Struct):
    name: str = ""


class _SecretVolume(msgspec.Struct, rename="camel"):
    secret_name: str = ""


class _Source(msgspec.Struct, rename="camel"):
    """One of `envFrom`, or of a projected volume's sources."""

    config_map_ref: _Name | None = None
    secret_ref: _Name | None = None
    config_map: _Name | None = None
    secret: _Name | None = None


class _ValueFrom(msgspec.Struct, rename="camel"):
    config_map_key_ref: _Name | None = None
    secret_key_ref: _Name | None = None


class _Variable(msgspec.Struct, rename="camel"):
    value_from: _ValueFrom | None = None


class _Container(msgspec.Struct, rename="camel"):
    env: list[_Variable] | None = None
    env_from: list[_Source] | None = None


class _Projected(msgspec.Struct):
    sources: list[_Source] | None = None


class _Volume(msgspec.Struct, rename="camel"):
    config_map: _Name | None = None
    secret: _SecretVolume | None = None
    projected: _Projected | None = None


class _Spec(msgspec.Struct, rename="camel"):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    volumes: list[_Volume] | None = None


class _Template(msgspec.Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)


_DECODER = msgspec.json.Decoder(_Template)


def references(body: str) -> tuple[str, ...]:
    """`ConfigMap/name` and `Secret/name` of everything that the template's containers and volumes read, sorted.

    Raises msgspec.DecodeError for what is no template.
    """
    spec = _DECODER.decode(body).spec
    containers = (*(spec.init_containers or ()), *(spec.containers or ()))
    found = {
        *(each for container in containers for each in _of_container(container)),
        *(each for volume in spec.volumes or () for each in _of_volume(volume)),
    }
    return tuple(sorted(found))


def _of_container(container: _Container) -> Iterator[str]:
    for source in container.env_from or ():
        yield from _named(source.config_map_ref, source.secret_ref)
    for variable in container.env or ():
        if variable.value_from is not None:
            yield from _named(variable.value_from.config_map_key_ref, variable.value_from.secret_key_ref)


def _of_volume(volume: _Volume) -> Iterator[str]:
    secret = _Name(name=volume.secret.secret_name) if volume.secret is not None else None
    yield from _named(volume.config_map, secret)
    for source in (volume.projected.sources or ()) if volume.projected is not None else ():
        yield from _named(source.config_map, source.secret)


def _named(config_map: _Name | None, secret: _Name | None) -> Iterator[str]:
    if config_map is not None and config_map.name:
        yield f"ConfigMap/{config_map.name}"
    if secret is not None and secret.name:
        yield f"Secret/{secret.name}"

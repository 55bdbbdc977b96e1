"""The signals that come with Rollguard, and how a policy's own keys go over them."""

from __future__ import annotations

from importlib import resources

from rollguard.policy import yaml_text

NAMES = ("dubbing-platform", "generic")


def signals(name: str) -> dict[str, object]:
    """The signals of a preset, as a policy would write them. Raises KeyError for a name that does not exist."""
    if name not in NAMES:
        raise KeyError(name)
    file = resources.files("rollguard.policy").joinpath("presets", f"{name}.yaml")
    marked = yaml_text.read(file.read_text("utf-8"), f"preset {name}")
    data = marked.data
    if marked.mistakes or not isinstance(data, dict) or not isinstance(data.get("signals"), dict):
        raise ValueError(f"the preset {name} is damaged: {[str(mistake) for mistake in marked.mistakes]}")
    return dict(data["signals"])


def over(base: object, own: object) -> object:
    """`own` with what only `base` has added, mapping by mapping. Lists and values of `own` replace those of `base`;
    a signal of another kind, and a level of another quantity, replaces the whole."""
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    if "kind" in own and own["kind"] != base.get("kind"):
        return own
    bounds = {"above", "p50", "p90", "p95", "p99", "p999"}
    dropped = bounds if bounds & own.keys() else set()
    merged = {key: value for key, value in base.items() if key not in dropped}
    for key, value in own.items():
        merged[key] = over(base[key], value) if key in base else value
    return merged

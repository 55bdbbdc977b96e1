"""A policy as what operators apply. Pure: text and objects come out, nothing is written or sent."""

from __future__ import annotations

from rollguard.render.deployment import PROBES_PORT, SECRET_NAME, SECRETS_PATH, SELECTOR
from rollguard.render.installation import Installation, definitions, manifests, space
from rollguard.render.labels import ACCOUNT, CONFIG_NAME, DEPLOYMENT, INSTANCE, OURS, POLICY_KEY
from rollguard.render.people import PEOPLE
from rollguard.render.roles import access
from rollguard.render.yaml_text import to_yaml

__all__ = [
    "ACCOUNT",
    "CONFIG_NAME",
    "DEPLOYMENT",
    "INSTANCE",
    "OURS",
    "PEOPLE",
    "POLICY_KEY",
    "PROBES_PORT",
    "SECRETS_PATH",
    "SECRET_NAME",
    "SELECTOR",
    "Installation",
    "access",
    "definitions",
    "manifests",
    "space",
    "to_yaml",
]

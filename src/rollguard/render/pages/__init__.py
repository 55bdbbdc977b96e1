"""Pages for people, rendered from the policy: a runbook per alert, and the operators' guides."""

from __future__ import annotations

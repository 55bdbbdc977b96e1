"""The lab from a shell: `kubectl` and `rollguard` as short commands that speak to it."""

import sys
from pathlib import Path

from lab import programs
from lab.world import Lab


def kubectl(lab: Lab) -> Path:
    """A `kubectl` of this lab, in the lab's directory."""
    return _script(lab, "kubectl", str(programs.require(["kubectl"])["kubectl"]))


def rollguard(lab: Lab) -> Path:
    """A `rollguard` of this lab, in the lab's directory."""
    return _script(lab, "rollguard", f"{sys.executable} -m rollguard.cli.main")


def _script(lab: Lab, name: str, program: str) -> Path:
    script = lab.workdir / name
    script.write_text(f'#!/bin/sh\nKUBECONFIG="{lab.kubeconfig}" exec {program} "$@"\n')
    script.chmod(0o755)
    return script

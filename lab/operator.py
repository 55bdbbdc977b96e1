"""The definitions of the Prometheus operator's objects, from the operator's own module: no copy of them lies here."""

import json
import shutil
import subprocess
from pathlib import Path

from lab.programs import TESTBED, ProgramError

MODULE = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
FOLDER = "example/prometheus-operator-crd"
KINDS = ("prometheusrules", "servicemonitors")
"""Those that the product renders objects of."""


def definitions() -> tuple[Path, ...]:
    """The files, fetched where they are not in Go's cache yet. Raises ProgramError, saying what to do."""
    go = shutil.which("go")
    if go is None:
        raise ProgramError("Go is needed to fetch the operator's definitions: install Go 1.26.7 or later")
    command = [go, "mod", "download", "-json", MODULE]
    answer = subprocess.run(command, cwd=TESTBED / "operator", capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise ProgramError(f"`{' '.join(command)}` failed:\n{answer.stdout}{answer.stderr}")
    folder = Path(json.loads(answer.stdout)["Dir"]) / FOLDER
    return tuple(folder / f"monitoring.coreos.com_{kind}.yaml" for kind in KINDS)

"""Finds the lab's programs, and builds or fetches those that are missing.

`python -m lab.programs` does all that is needed for a first run and says what it does; names of further programs may
follow (`helm`, `dashboard-check`).
Search order: the directory in ROLLGUARD_LAB_BIN, the one in KUBEBUILDER_ASSETS, the cache, PATH (where the
version is the one that the lab was tried with), and only then a build.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.processes import ProcessError, dying_with_parent

TESTBED = Path(__file__).parent / "testbed"
DIRECTORY_VARIABLES = ("ROLLGUARD_LAB_BIN", "KUBEBUILDER_ASSETS")
PROGRESS_EVERY_S = 15.0
SCRATCH = ".build-"


class ProgramError(Exception):
    """A program can neither be found nor made; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoModule:
    """One folder of the testbed: the programs that it builds and how."""

    folder: str
    packages: dict[str, str]
    version: str
    ldflags: str
    tags: str = ""
    what: str
    takes: str


GO_MODULES = (
    GoModule(
        folder="control-plane",
        packages={
            "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
            "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
            "kubectl": "k8s.io/kubernetes/cmd/kubectl",
        },
        version="v1.36.3",
        ldflags="-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3"
        " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36",
        what="the API server, the controller manager and kubectl",
        takes="about 6 minutes",
    ),
    GoModule(
        folder="prometheus",
        packages={
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        },
        version="3.16.0",
        ldflags="-s -w -X github.com/prometheus/common/version.Version=3.16.0",
        tags="remove_all_sd,enable_kubernetes_sd",
        what="Prometheus and promtool",
        takes="about 5 minutes",
    ),
    GoModule(
        folder="alertmanager",
        packages={
            "alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager",
            "amtool": "github.com/prometheus/alertmanager/cmd/amtool",
        },
        version="0.28.1",
        ldflags="-s -w -X github.com/prometheus/common/version.Version=0.28.1",
        what="Alertmanager and amtool",
        takes="about a minute",
    ),
    GoModule(
        folder="helm",
        packages={"helm": "helm.sh/helm/v4/cmd/helm"},
        version="v4.3.1",
        ldflags="-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1",
        what="Helm",
        takes="about 3 minutes",
    ),
    GoModule(
        folder="dashboards",
        packages={"dashboard-check": "rollguard.dev/testbed/dashboard-check"},
        version="0.0.22",
        ldflags="-s -w",
        what="the check against Grafana's schema of dashboards",
        takes="about a minute",
    ),
)
ETCD = "etcd"
ETCD_PACKAGE = "etcd-server"
NEEDED = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kubectl",
    "prometheus",
    "promtool",
)


def cache_root() -> Path:
    """The directory under which built and fetched programs are kept, one folder per module."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rollguard" / "testbed"


def module_of(program: str) -> GoModule | None:
    """The Go module that builds a program; None for etcd.

    Raises ProgramError for a program that the lab does not know.
    """
    for module in GO_MODULES:
        if program in module.packages:
            return module
    if program != ETCD:
        known = ", ".join([ETCD, *(name for module in GO_MODULES for name in module.packages)])
        raise ProgramError(f"unknown program {program!r}: the lab knows {known}")
    return None


def cache_dir(program: str) -> Path:
    """Where a program lies once built; the folder's name changes with the module's sums and its own sources."""
    module = module_of(program)
    if module is None:
        return cache_root() / "etcd"
    sums = hashlib.sha256()
    folder = TESTBED / module.folder
    for path in (folder / "go.mod", folder / "go.sum", *sorted(folder.glob("*.go"))):
        sums.update(path.read_bytes())
    return cache_root() / f"{module.folder}-{sums.hexdigest()[:12]}"


def find(program: str) -> Path | None:
    """The program's path, or None where it must still be built or fetched."""
    for variable in DIRECTORY_VARIABLES:
        if directory := os.environ.get(variable):
            path = Path(directory) / program
            if _executable(path):
                return path
    path = cache_dir(program) / program
    if _executable(path):
        return path
    return _on_path(program)


def require(programs: Iterable[str] = NEEDED) -> dict[str, Path]:
    """Paths of all the programs; builds or fetches the missing ones, which can take minutes.

    Raises ProgramError, saying what to do, where one can neither be found nor made.
    """
    wanted = tuple(programs)
    if any(find(name) is None for name in wanted):
        with _one_builder():
            _make([name for name in wanted if find(name) is None])
    found: dict[str, Path] = {}
    for name in wanted:
        path = find(name)
        if path is None:
            raise ProgramError(f"{name} is still missing after its build")
        found[name] = path
    return found


def _make(missing: list[str]) -> None:
    if ETCD in missing:
        fetch_etcd()
    for module in GO_MODULES:
        if names := [name for name in missing if name in module.packages]:
            build(module, names)


def build(module: GoModule, names: list[str]) -> None:
    """Builds programs of one module into the cache; a killed build leaves nothing there."""
    go = shutil.which("go")
    if go is None:
        raise ProgramError(
            f"Go is needed to build {module.what}: install Go 1.26.7 or later (https://go.dev/dl), "
            f"or name a directory that holds {', '.join(names)} in ROLLGUARD_LAB_BIN"
        )
    target = cache_dir(names[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=target.parent) as scratch:
        command = [go, "install", "-mod=readonly", "-trimpath", "-ldflags", module.ldflags]
        if module.tags:
            command += ["-tags", module.tags]
        command += [module.packages[name] for name in names]
        _run(
            command,
            says=f"building {', '.join(names)}, {module.takes}",
            cwd=TESTBED / module.folder,
            env=os.environ | {"CGO_ENABLED": "0", "GOBIN": scratch, "GOFLAGS": "-buildvcs=false"},
        )
        target.mkdir(exist_ok=True)
        for name in names:
            (Path(scratch) / name).replace(target / name)


def fetch_etcd() -> None:
    """Unpacks etcd from Debian's package into the cache: nothing is installed, no service starts."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise ProgramError(
                f"etcd is missing and {tool} is not here to fetch it: install etcd 3.4 or later on PATH, "
                "or name its directory in ROLLGUARD_LAB_BIN"
            )
    target = cache_dir(ETCD)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-") as scratch:
        Path(scratch).chmod(0o755)
        command = ["apt-get", "download", ETCD_PACKAGE]
        says = "fetching etcd (Debian's etcd-server, 8 MB), some seconds"
        try:
            _run(command, says=says, cwd=Path(scratch))
        except ProgramError:
            _refresh_package_lists()
            _run(command, says=says, cwd=Path(scratch))
        package = next(Path(scratch).glob(f"{ETCD_PACKAGE}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), scratch], check=True)
        target.mkdir(exist_ok=True)
        # Copied beside its place and renamed: the scratch directory may be another file system.
        part = target / ".etcd.part"
        shutil.copy2(Path(scratch) / "usr/bin/etcd", part)
        part.replace(target / ETCD)


def _refresh_package_lists() -> None:
    if os.geteuid() != 0:
        raise ProgramError("apt does not know the package etcd-server: run `sudo apt-get update` once and try again")
    _run(["apt-get", "update", "-q"], says="refreshing apt's package lists, some seconds")


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _on_path(program: str) -> Path | None:
    found = shutil.which(program)
    if found is None:
        return None
    module = module_of(program)
    # Any etcd from 3.4 on serves; of the others a chance version would make the lab another lab.
    if module is None or _says_version(found, module.version):
        return Path(found)
    return None


def _says_version(path: str, version: str) -> bool:
    arguments = ["version", "--client"] if Path(path).name == "kubectl" else ["--version"]
    try:
        answer = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    words = (answer.stdout + answer.stderr).replace(",", " ").split()
    return answer.returncode == 0 and version in words


@contextmanager
def _one_builder() -> Iterator[None]:
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another build of the lab's programs is running: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left_over in root.glob(f"{SCRATCH}*"):
            shutil.rmtree(left_over)
        yield


def _run(command: list[str], *, says: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Runs a long command with signs of life; raises ProgramError with the end of its output."""
    started = time.monotonic()
    _say(says)
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(
            dying_with_parent(command), cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT
        ) as process:
            code = _wait_with_progress(process, started)
        if code != 0:
            output.seek(0)
            tail = "".join(output.readlines()[-20:])
            raise ProgramError(f"`{' '.join(command[:2])}` failed ({code}) while {says}:\n{tail}")
    _say(f"  done in {time.monotonic() - started:.0f} s")


def _wait_with_progress(process: subprocess.Popen[bytes], started: float) -> int:
    live = sys.stderr.isatty()
    try:
        while True:
            try:
                return process.wait(timeout=1.0 if live else PROGRESS_EVERY_S)
            except subprocess.TimeoutExpired:
                elapsed = f"  {time.monotonic() - started:.0f} s"
                print(elapsed, end="\r" if live else "\n", file=sys.stderr, flush=True)
    except BaseException:
        process.terminate()
        raise


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(further: list[str]) -> int:
    """Makes sure that every program, and each of the further ones, is there and prints where each lies."""
    try:
        for name, path in require((*NEEDED, *further)).items():
            print(f"{name:<24} {path}")
    except (ProgramError, ProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

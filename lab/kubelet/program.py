"""The product itself as a container: a pod with an image named `rollguard` runs the `rollguard` installed here.

It gets what the pod asks for: its arguments, environment, ConfigMaps, Secrets, and a token of its ServiceAccount. It
runs in no namespace of its own, so paths and loopback addresses in its arguments are put in their place.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.api import Api, ApiError, Kubeconfig, read_kubeconfig
from lab.processes import dying_with_parent

_IMAGE = re.compile(r"(?:.*/)?rollguard(?::[^/]*)?(?:@.*)?")
_VARIABLE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_OWN = ("emptyDir", "projected")
"""Kinds of volume that are an empty directory here; a projected one holds the token, which the kubeconfig has."""


class NotThere(Exception):
    """Something that the pod mounts does not exist; the text is the kubelet's."""


def is_product(image: str) -> bool:
    """Whether an image is the product's own."""
    return _IMAGE.fullmatch(image) is not None


def placed(argument: str, environment: Mapping[str, str], mounts: Mapping[str, str], address: str) -> str:
    """An argument with its variables, with the directories that stand for mounted paths, and with the pod's own
    loopback address: two pods of a machine share the real one."""
    text = _VARIABLE.sub(lambda match: environment.get(match[1], match[0]), argument)
    for path in sorted(mounts, key=len, reverse=True):
        if text == path or text.startswith(f"{path}/"):
            return mounts[path] + text.removeprefix(path)
    return re.sub(r"^127\.0\.0\.1(?=:)", address, text)


class Programs:
    """Makes what the containers of this node need from the API server."""

    def __init__(self, api: Api, kubeconfig: str | Path) -> None:
        self._api = api
        self._cluster: Kubeconfig = read_kubeconfig(kubeconfig)

    async def prepare(self, pod: Any, spec: Mapping[str, Any], address: str) -> Program:
        """The container's directory, command and environment. Raises NotThere."""
        home = Path(tempfile.mkdtemp(prefix="rollguard-lab-pod-"))
        program = Program(home)
        try:
            mounts = await self._mounts(pod, spec, home)
            program.environment = self._environment(pod, spec, address) | await self._identity(pod, home)
            program.environment["TMPDIR"] = mounts.get("/tmp", str(home))
            program.arguments = [placed(argument, program.environment, mounts, address) for argument in spec["args"]]
        except NotThere:
            program.clear()
            raise
        return program

    async def _mounts(self, pod: Any, spec: Mapping[str, Any], home: Path) -> dict[str, str]:
        """Each mounted path with the directory that stands for it."""
        namespace: str = pod["metadata"]["namespace"]
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
        placed = {}
        for mount in spec.get("volumeMounts") or ():
            directory = home / mount["name"]
            directory.mkdir(exist_ok=True)
            for name, content in (await self._files(namespace, volumes[mount["name"]])).items():
                (directory / name).write_bytes(content)
            placed[mount["mountPath"]] = str(directory)
        return placed

    async def _files(self, namespace: str, volume: Mapping[str, Any]) -> dict[str, bytes]:
        if any(kind in volume for kind in _OWN):
            return {}
        if "configMap" in volume:
            source, resource, name = volume["configMap"], "configmaps", volume["configMap"]["name"]
        elif "secret" in volume:
            source, resource, name = volume["secret"], "secrets", volume["secret"]["secretName"]
        else:
            raise NotThere(f"volume {volume['name']}: a kind that the lab's kubelet does not know")
        found = await self._api.find(f"/api/v1/namespaces/{namespace}/{resource}/{name}")
        if found is None:
            if source.get("optional"):
                return {}
            raise NotThere(f'{resource.removesuffix("s")} "{name}" not found')
        encoded = {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
        if resource == "secrets":
            return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
        return encoded | {key: value.encode() for key, value in (found.get("data") or {}).items()}

    async def _identity(self, pod: Any, home: Path) -> dict[str, str]:
        """A kubeconfig with a token of the pod's ServiceAccount: what a pod finds mounted."""
        metadata, account = pod["metadata"], pod["spec"].get("serviceAccountName", "default")
        if pod["spec"].get("automountServiceAccountToken") is False:
            return {}
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        wanted = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 6 * 3600, "boundObjectRef": bound},
        }
        try:
            token = (await self._api.create(path, wanted))["status"]["token"]
        except ApiError as error:
            raise NotThere(f"no token for {account}: {error.message}") from error
        ca = base64.b64encode(self._cluster.ca_data.encode()).decode()
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "lab", "cluster": {"server": self._cluster.server, "certificate-authority-data": ca}}
            ],
            "users": [{"name": account, "user": {"token": token}}],
            "contexts": [
                {"name": "lab", "context": {"cluster": "lab", "user": account, "namespace": metadata["namespace"]}}
            ],
            "current-context": "lab",
        }
        file = home / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(json.dumps(document))
        return {"KUBECONFIG": str(file)}

    def _environment(self, pod: Any, spec: Mapping[str, Any], address: str) -> dict[str, str]:
        fields = {
            "metadata.name": pod["metadata"]["name"],
            "metadata.namespace": pod["metadata"]["namespace"],
            "spec.nodeName": pod["spec"].get("nodeName", ""),
            # Where the process can listen; the API knows the pod by another address.
            "status.podIP": address,
        }
        found = {"PATH": os.environ.get("PATH", ""), "HOSTNAME": fields["metadata.name"], "PYTHONUNBUFFERED": "1"}
        for entry in spec.get("env") or ():
            source = (entry.get("valueFrom") or {}).get("fieldRef")
            found[entry["name"]] = fields[source["fieldPath"]] if source else entry.get("value", "")
        return found


class Program:
    """One run of the product."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.arguments: list[str] = []
        self.environment: dict[str, str] = {}
        self._process: Process | None = None

    async def run(self, line: Callable[[str], None]) -> int:
        """Runs it to its end, or to the cancellation of the caller; returns its exit code as a kubelet shows it."""
        command = dying_with_parent([Path(sys.executable).with_name("rollguard"), *self.arguments])
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=self.environment, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=STDOUT
            )
            assert self._process.stdout is not None
            async for raw in self._process.stdout:
                line(raw.decode(errors="replace").rstrip("\n"))
            code = await self._process.wait()
            return code if code >= 0 else 128 - code
        finally:
            await self._end()

    def terminate(self) -> None:
        """What the kubelet does first when a pod is to end."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)

    def clear(self) -> None:
        """Removes its files."""
        shutil.rmtree(self.home, ignore_errors=True)

    async def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self.clear()

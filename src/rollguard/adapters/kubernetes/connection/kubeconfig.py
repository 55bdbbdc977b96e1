"""Where the API server is and who we are: a kubeconfig as kubectl reads it, or the pod's own ServiceAccount."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

AS_ANOTHER = ("as", "as-uid", "as-groups", "as-user-extra")


class ConfigError(Exception):
    """The connection cannot be set up; the text says which file, what was expected and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecPlugin:
    """A command that prints a credential."""

    api_version: str
    command: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    hint: str
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Connection:
    """The server and how to speak to it. Secrets never appear in its repr."""

    server: str
    tls: ssl.SSLContext
    namespace: str
    """Where a name without a namespace is looked for."""
    namespace_chosen: bool = False
    """The context names it: somebody chose to work there."""
    proxy: str | None = None
    token: str = ""
    token_file: Path | None = None
    username: str = ""
    password: str = ""
    exec_plugin: ExecPlugin | None = None

    def __repr__(self) -> str:
        return f"Connection(server={self.server!r}, namespace={self.namespace!r})"


def load(path: str | Path | None = None, context: str | None = None) -> Connection:
    """The connection that kubectl would use: the given file, else $KUBECONFIG, else the pod's, else ~/.kube/config.

    Raises ConfigError.
    """
    named = str(path) if path is not None else os.environ.get("KUBECONFIG", "")
    if named:
        return from_kubeconfig([Path(each) for each in named.split(os.pathsep) if each], context)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and (SERVICE_ACCOUNT / "token").exists():
        return in_cluster()
    return from_kubeconfig([Path("~/.kube/config").expanduser()], context)


def in_cluster(account: Path = SERVICE_ACCOUNT) -> Connection:
    """The pod's own ServiceAccount; its token is read again from the file, for it changes. Raises ConfigError."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("KUBERNETES_SERVICE_HOST is not set: this is no pod; give a kubeconfig")
    try:
        tls = ssl.create_default_context(cafile=str(account / "ca.crt"))
        namespace = (account / "namespace").read_text().strip()
    except OSError as error:
        raise ConfigError(f"{account}: {error}; is the ServiceAccount mounted?") from error
    address = f"[{host}]" if ":" in host else host
    return Connection(server=f"https://{address}:{port}", tls=tls, namespace=namespace, token_file=account / "token")


def from_kubeconfig(paths: list[Path], context: str | None = None) -> Connection:
    """The named (else the current) context of these files, the first that names a thing winning. Raises ConfigError."""
    found = [path.expanduser() for path in paths if path.expanduser().is_file()]
    where = ", ".join(str(path) for path in paths)
    if not found:
        raise ConfigError(f"no kubeconfig at {where}: set KUBECONFIG or give --kubeconfig")
    documents = [(path, _document(path)) for path in found]
    wanted = context or next((str(c) for _, d in documents if (c := d.get("current-context"))), "")
    if not wanted:
        raise ConfigError(f"{where}: no current-context: choose one with --context")
    _, chosen = _entry(documents, "contexts", "context", wanted, where)
    cluster_file, cluster = _entry(documents, "clusters", "cluster", str(chosen.get("cluster", "")), where)
    user_file: Path = found[0]
    user: Mapping[str, Any] = {}
    if chosen.get("user"):
        user_file, user = _entry(documents, "users", "user", str(chosen["user"]), where)
    if user.get("auth-provider"):
        raise ConfigError(f"{user_file}: auth-provider is gone from Kubernetes: use an exec plugin")
    _refuse(user_file, "user", user, AS_ANOTHER, "use the credentials of that account itself")
    _refuse(cluster_file, "cluster", cluster, ("tls-server-name",), "use an address that the certificate names")
    return _connection(cluster_file, cluster, user_file, user, str(chosen.get("namespace") or ""))


def _refuse(file: Path, section: str, found: Mapping[str, Any], keys: tuple[str, ...], instead: str) -> None:
    """Passing over these in silence would make us somebody else, or the server."""
    for key in keys:
        if found.get(key):
            raise ConfigError(f"{file}: {section}.{key} is not supported: take it out and {instead}")


def _connection(
    cluster_file: Path, cluster: Mapping[str, Any], user_file: Path, user: Mapping[str, Any], namespace: str
) -> Connection:
    server = str(cluster.get("server", "")).rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise ConfigError(f"{cluster_file}: cluster.server must be an http or https address, found {server!r}")
    token_file = user.get("tokenFile")
    return Connection(
        server=server,
        tls=_tls(cluster_file, cluster, user_file, user),
        namespace=namespace or "default",
        namespace_chosen=bool(namespace),
        proxy=cluster.get("proxy-url") or None,
        token=str(user.get("token") or ""),
        token_file=user_file.parent / token_file if token_file else None,
        username=str(user.get("username") or ""),
        password=str(user.get("password") or ""),
        exec_plugin=_exec_plugin(user_file, user["exec"]) if user.get("exec") is not None else None,
    )


def _tls(cluster_file: Path, cluster: Mapping[str, Any], user_file: Path, user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _bytes(cluster_file, cluster, "certificate-authority")
    try:
        tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{cluster_file}: certificate-authority is not a PEM certificate: {error}") from error
    if cluster.get("insecure-skip-tls-verify") is True:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    certificate, key = _bytes(user_file, user, "client-certificate"), _bytes(user_file, user, "client-key")
    if certificate and key:
        try:
            use_certificate(tls, certificate, key)
        except ssl.SSLError as error:
            raise ConfigError(f"{user_file}: client-certificate and client-key do not fit: {error}") from error
    return tls


def use_certificate(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Makes the context present this certificate. `ssl` reads files only: they live for a moment, for us alone."""
    with tempfile.TemporaryDirectory() as directory:
        certificate_file, key_file = Path(directory) / "certificate", Path(directory) / "key"
        for path, content in ((certificate_file, certificate), (key_file, key)):
            path.touch(mode=0o600)
            path.write_bytes(content)
        tls.load_cert_chain(str(certificate_file), str(key_file))


def _bytes(file: Path, section: Mapping[str, Any], key: str) -> bytes:
    try:
        if section.get(f"{key}-data"):
            return base64.b64decode(section[f"{key}-data"], validate=True)
        if section.get(key):
            return (file.parent / str(section[key])).read_bytes()
    except (ValueError, OSError) as error:
        raise ConfigError(f"{file}: {key}: {error}") from error
    return b""


def _exec_plugin(file: Path, section: Mapping[str, Any]) -> ExecPlugin:
    command = str(section.get("command", ""))
    if not command:
        raise ConfigError(f"{file}: user.exec has no command")
    return ExecPlugin(
        api_version=str(section.get("apiVersion", "")),
        command=str(file.parent / command) if "/" in command else command,
        arguments=tuple(str(each) for each in section.get("args") or ()),
        environment=tuple((str(e["name"]), str(e["value"])) for e in section.get("env") or ()),
        hint=str(section.get("installHint") or ""),
        directory=file.parent,
    )


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # The error's own text may quote the file, and so a token.
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f"{path}:{line + 1}" if isinstance(line, int) else str(path)
        raise ConfigError(f"{where}: cannot be read as a kubeconfig ({type(error).__name__})") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a kubeconfig, found {type(document).__name__}")
    return document


def _entry(
    documents: list[tuple[Path, Mapping[str, Any]]], section: str, key: str, name: str, where: str
) -> tuple[Path, Mapping[str, Any]]:
    known: list[str] = []
    for path, document in documents:
        for entry in document.get(section) or ():
            if entry.get("name") == name:
                return path, entry.get(key) or {}
            known.append(str(entry.get("name")))
    raise ConfigError(f"{where}: no {key} {name!r}; there are: {', '.join(known) or 'none'}")

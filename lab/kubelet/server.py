"""The kubelet's two listeners: plain HTTP for scrapes and chaos, HTTPS for logs and for scrapes by discovery."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.exposition import CONTENT_TYPE
from lab.http_server import Request, Response, json_response
from lab.kubelet import cadvisor
from lab.kubelet.chaos import Chaos, parse_rule
from lab.kubelet.pods import Pods

_NODE_RESTART_CODE = 255


class Server:
    """`/healthz`, `/metrics/cadvisor`, `/lab/chaos` and `/containerLogs/NAMESPACE/POD/CONTAINER`."""

    def __init__(self, pods: Pods, chaos: Chaos, node: str, clock: Callable[[], float]) -> None:
        self._pods = pods
        self._chaos = chaos
        self._node = node
        self._clock = clock

    def plain(self, request: Request) -> Response:
        """The handler of the HTTP listener."""
        if request.path == "/healthz":
            return Response(body=b"ok\n")
        if request.path == "/metrics/cadvisor":
            return Response(body=cadvisor.exposition(self._pods.all(), self._node), content_type=CONTENT_TYPE)
        if request.path == "/lab/chaos":
            return self._change_chaos(request)
        return Response(status=404, body=b"not found\n")

    def secure(self, request: Request) -> Response:
        """The handler of the HTTPS listener."""
        if request.path in ("/healthz", "/metrics/cadvisor"):
            return self.plain(request)
        parts = request.path.strip("/").split("/")
        if len(parts) != 4 or parts[0] != "containerLogs":
            return Response(status=404, body=b"not found\n")
        worker = self._pods.find(parts[1], parts[2])
        container = worker.container(parts[3]) if worker else None
        if container is None:
            return Response(status=404, body=b"no such container\n")
        log = container.log_of(previous=request.query.get("previous") == "true")
        if log is None:
            return Response(status=400, body=b"previous terminated container not found\n")
        return Response(body=log.read(request.query, self._clock()))

    def _change_chaos(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._chaos.clear(request.query.get("namespace", ""))
            return json_response({})
        if request.method != "POST":
            return json_response({"error": "POST a rule, or DELETE"}, 405)
        try:
            document: dict[str, Any] = request.json()
            if document.pop("node_restart", False):
                ended = self._pods.restart_all(document.get("namespace", ""), _NODE_RESTART_CODE)
                return json_response({"restarted": ended})
            self._chaos.add(parse_rule(document))
        except (ValueError, TypeError, AttributeError) as error:
            return json_response({"error": str(error)}, 400)
        return json_response({}, 201)


def self_signed() -> ssl.SSLContext:
    """A server context with a fresh certificate for 127.0.0.1; the key leaves no file behind."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab-kubelet")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "kubelet.pem"
        file.touch(mode=0o600)
        file.write_bytes(pem)
        context.load_cert_chain(file)
    return context

"""Keys of the lab: a self-signed certificate for the API server and a key that signs ServiceAccount tokens."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki:
    """Paths of the PEM files."""

    certificate: Path
    key: Path
    service_account_key: Path
    service_account_public_key: Path


def create(directory: Path) -> Pki:
    """Writes a fresh set of keys into the directory; private keys are readable by their owner only."""
    directory.mkdir(parents=True, exist_ok=True)
    pki = Pki(
        certificate=directory / "tls.crt",
        key=directory / "tls.key",
        service_account_key=directory / "sa.key",
        service_account_public_key=directory / "sa.pub",
    )
    server = ec.generate_private_key(ec.SECP256R1())
    _write_private(pki.key, server)
    pki.certificate.write_bytes(_self_signed(server).public_bytes(serialization.Encoding.PEM))
    signer = ec.generate_private_key(ec.SECP256R1())
    _write_private(pki.service_account_key, signer)
    pki.service_account_public_key.write_bytes(
        signer.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return pki


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rollguard-lab")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # An hour back: a clock that steps a little must not make the lab's own certificate invalid.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )

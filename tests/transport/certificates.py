"""A certificate authority of the tests' own, and servers' certificates, good and bad."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.backends.server import HOST

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that nobody trusts by itself. Its files are in `folder`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, folder: Path) -> Authority:
        """Return an authority with a key of its own."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder("authority", _name("authority"), key, NOW - DAY, NOW + DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return cls(folder, key, builder.sign(key, hashes.SHA256()))

    @property
    def bundle(self) -> Path:
        """Return the file that a client trusts."""
        path = self.folder / "authority.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def server_file(
        self,
        host: str = HOST,
        *,
        valid: tuple[dt.datetime, dt.datetime] = (NOW - DAY, NOW + DAY),
        self_signed: bool = False,
    ) -> Path:
        """Return a file with the key and the certificate of a server named `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = _name("server") if self_signed else self.certificate.subject
        builder = _builder("server", issuer, key, *valid)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        certificate = builder.sign(key if self_signed else self.key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self.folder / "server.pem"
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def server(
        self,
        host: str = HOST,
        *,
        valid: tuple[dt.datetime, dt.datetime] = (NOW - DAY, NOW + DAY),
        self_signed: bool = False,
    ) -> ssl.SSLContext:
        """Return the context of such a server."""
        return server_context(self.server_file(host, valid=valid, self_signed=self_signed))


def server_context(path: Path) -> ssl.SSLContext:
    """Return the context of a server with this key and certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: dt.datetime, ends: dt.datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)

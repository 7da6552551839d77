"""Certificates made for one test: an authority of its own, and what it says of a server's name and time."""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY: Final = timedelta(days=1)


class Issuer:
    """Whoever trusts it takes what it has signed."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of this test")])
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        own = (
            x509.BasicConstraints(ca=True, path_length=0),
            usage,
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()),
        )
        self._certificate = self._signed(self._name, self._key.public_key(), *own, ends_in=DAY)

    @property
    def pem(self) -> bytes:
        return _pem(self._certificate)

    def trusted(self) -> ssl.SSLContext:
        """What somebody uses who trusts this authority and nobody else."""
        return ssl.create_default_context(cadata=self.pem.decode())

    def certificate(self, *names: str, ends_in: timedelta = DAY) -> tuple[bytes, bytes]:
        """Somebody of these names: the certificate, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        named = x509.SubjectAlternativeName([_general(each) for each in names])
        certificate = self._signed(x509.Name([]), key.public_key(), named, ends_in=ends_in)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return _pem(certificate), secret

    def serving(self, *names: str, ends_in: timedelta = DAY) -> ssl.SSLContext:
        """What a server of these names uses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:  # the library reads nothing but files
            file = Path(folder) / "server.pem"
            file.write_bytes(b"".join(self.certificate(*names, ends_in=ends_in)))
            context.load_cert_chain(file)
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *extensions: x509.ExtensionType,
        ends_in: timedelta,
    ) -> x509.Certificate:
        ends_at = datetime.now(UTC) + ends_in
        begun = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends_at - 2 * DAY)
            .not_valid_after(ends_at)
        )
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for each in (*extensions, issuer):
            # Who has no other name than those beside it must be known by them.
            begun = begun.add_extension(each, critical=isinstance(each, CRITICAL))
        return begun.sign(self._key, hashes.SHA256())


CRITICAL: Final = (x509.BasicConstraints, x509.KeyUsage, x509.SubjectAlternativeName)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)

"""The metrics' own port with TLS: who asks must show a certificate, if the settings say so."""

import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemon.check.live import check_live
from daemon.serve import CannotListen, Server, Site
from daemon.settings import Settings, Tls

DAY: Final = timedelta(days=1)


class Authority:
    """Signs certificates for this machine's loopback, and for those who ask."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._signed = self._sign(self._name, self._key, is_authority=True)
        self.file = self._write(f"{name}.crt", self._signed.public_bytes(serialization.Encoding.PEM))

    def certificate(self, name: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, is_authority=False
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        whole = signed.public_bytes(serialization.Encoding.PEM)
        return self._write(f"{name}.crt", whole), self._write(f"{name}.key", private)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(loopback, critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@contextmanager
def shown(tls: Tls) -> Iterator[str]:
    server = Server("127.0.0.1:0", Site(metrics=True), tls)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop()
        thread.join()


def told(authority: Authority) -> Tls:
    certificate, key = authority.certificate("daemon")
    return Tls(certificate=certificate, key=key, client_ca=authority.file)


def trusting(authority: Authority, mine: tuple[Path, Path] | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.file)
    if mine is not None:
        certificate, key = mine
        context.load_cert_chain(certificate, key)
    return context


def test_who_shows_a_certificate_of_the_authority_sees_the_metrics(authority: Authority) -> None:
    with shown(told(authority)) as address:
        context = trusting(authority, authority.certificate("prometheus"))
        answer = httpx.get(f"https://{address}/metrics", verify=context, trust_env=False)
    assert "reconciled_build_info" in answer.text


@pytest.mark.parametrize("stranger", [True, False], ids=["another authority's", "none"])
def test_nobody_else_does(authority: Authority, tmp_path: Path, stranger: bool) -> None:
    mine = Authority(tmp_path, "stranger").certificate("prometheus") if stranger else None
    with shown(told(authority)) as address, pytest.raises(httpx.TransportError):
        httpx.get(f"https://{address}/metrics", verify=trusting(authority, mine), trust_env=False)


def test_nothing_is_shown_without_tls_there(authority: Authority) -> None:
    with shown(told(authority)) as address, pytest.raises(httpx.TransportError):
        httpx.get(f"http://{address}/metrics", trust_env=False)


def test_files_that_cannot_be_used_are_a_sentence_before_anything_starts(
    authority: Authority, tmp_path: Path
) -> None:
    broken = Tls(certificate=authority.file, key=tmp_path / "nowhere.key")
    with pytest.raises(CannotListen, match=r"127\.0\.0\.1:0 cannot speak TLS"):
        Server("127.0.0.1:0", Site(metrics=True), broken)


def test_the_diagnosis_asks_with_the_daemons_own_certificate(authority: Authority) -> None:
    tls = told(authority)
    main = Server("127.0.0.1:0", Site(checks={}))
    thread = threading.Thread(target=main.run)
    thread.start()
    try:
        with shown(tls) as address:
            daemon = {"listen": f"127.0.0.1:{main.port}", "metrics": address, "metrics_tls": tls}
            lines = check_live(Settings.model_validate({"daemon": daemon}), lambda: datetime.now(UTC))
    finally:
        main.stop()
        thread.join()
    assert "shows metrics" not in [line.what for line in lines]
    assert "Next dispute deadline" in [line.what for line in lines]

"""The metrics' own port with TLS: who asks must show a certificate, if the settings say so."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from daemon.check.live import check_live
from daemon.serve import CannotListen, Server, Site
from daemon.settings import Settings, Tls
from tests.certificates import Issuer


class Authority:
    """An authority, and what it signs, in files: settings name those."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._issuer = Issuer()
        self.file = self._write(f"{name}.crt", self._issuer.pem)

    def certificate(self, name: str) -> tuple[Path, Path]:
        certificate, key = self._issuer.certificate("127.0.0.1", name)
        return self._write(f"{name}.crt", certificate), self._write(f"{name}.key", key)

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

"""A real Prometheus and a real Alertmanager, each on loopback and in a folder of its own, while a test lasts."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.grafana.tools import started, tool
from tests.ports import free_port

READY_S = 90.0  # to start on a machine that has other things to do
ASKED_EVERY_S = 0.1


def until(comes_true: Callable[[], Any], within_s: float, what: str) -> None:
    pause = threading.Event()
    for _ in range(int(within_s / ASKED_EVERY_S)):
        if comes_true():
            return
        pause.wait(ASKED_EVERY_S)
    raise AssertionError(f"it did not come true within {within_s:.0f} s: {what}")


def stays(true: Callable[[], Any], for_s: float, what: str) -> None:
    pause = threading.Event()
    for _ in range(int(for_s / ASKED_EVERY_S)):
        assert true(), what
        pause.wait(ASKED_EVERY_S)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@contextmanager
def running(arguments: list[str], folder: Path, ready: str) -> Iterator[None]:
    """A program that has said at this address that it is ready; what it logs lies in the folder."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(arguments, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            until(lambda: _answers(ready), READY_S, f"{arguments[0]} is ready; see {folder / 'log'}")
            yield
        finally:
            process.kill()  # its data is thrown away
            process.wait(READY_S)


class Prometheus:
    """What one may ask of it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, expr: str) -> list[tuple[Mapping[str, str], float]]:
        """Every series that answers now, with its value."""
        result = self._get("/query", query=expr)
        if result["resultType"] == "scalar":
            return [({}, float(result["result"][1]))]
        return [(each["metric"], float(each["value"][1])) for each in result["result"]]

    def at(self, expr: str, end: float) -> list[dict[str, Any]]:
        """Every series of that moment, in the order that was asked for; as Prometheus writes it."""
        found: list[dict[str, Any]] = self._get("/query", query=expr, time=f"{end:.3f}")["result"]
        return found

    def drawn(self, expr: str, start: float, end: float, step_s: float) -> list[dict[str, Any]]:
        """Every series of that time, as Prometheus writes it."""
        asked = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_s:.3f}"}
        found: list[dict[str, Any]] = self._get("/query_range", query=expr, **asked)["result"]
        return found

    def exemplars(self, expr: str) -> list[Mapping[str, str]]:
        """The ids that its counts were about, in the last minutes."""
        now = time.time()
        found = self._get("/query_exemplars", query=expr, start=f"{now - 600:.3f}", end=f"{now:.3f}")
        return [each["labels"] for series in found for each in series["exemplars"]]

    def firing(self) -> set[str]:
        return {
            each["labels"]["alertname"]
            for each in self._get("/alerts")["alerts"]
            if each["state"] == "firing"
        }

    def _get(self, path: str, **asked: str) -> Any:
        found = httpx.get(f"{self.url}/api/v1{path}", params=asked, trust_env=False, timeout=READY_S).json()
        assert found["status"] == "success", found
        return found["data"]


@contextmanager
def prometheus(
    folder: Path, target: str, rules: Mapping[str, Any], alertmanager: str | None = None
) -> Iterator[Prometheus]:
    """It scrapes the target and evaluates the rules every second."""
    folder.mkdir(parents=True)
    told: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "reconciled", "static_configs": [{"targets": [target]}]}],
    }
    if alertmanager is not None:
        told["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    (folder / "prometheus.yml").write_text(json.dumps(told))  # JSON is YAML
    (folder / "rules.yml").write_text(json.dumps(rules))
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        tool("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn",
        f"--web.listen-address={address}", "--enable-feature=exemplar-storage",
        "--rules.alert.resend-delay=1s",  # it finds Alertmanager some seconds after the first alerts fire
    ]  # fmt: skip
    with running(arguments, folder, f"http://{address}/-/ready"):
        yield Prometheus(f"http://{address}")


@contextmanager
def alertmanager(folder: Path, configuration: Mapping[str, Any]) -> Iterator[str]:
    """Its address."""
    folder.mkdir(parents=True)
    (folder / "alertmanager.yml").write_text(json.dumps(configuration))
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        *started("prometheus-alertmanager"), "--config.file=alertmanager.yml", "--storage.path=data",
        f"--web.listen-address={address}", "--cluster.listen-address=",
    ]  # fmt: skip
    with running(arguments, folder, f"http://{address}/-/ready"):
        yield address


class Sink:
    """Whoever is told of alerts: everything that arrived, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []  # receiver, alert, firing or resolved
        sink = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                sink.told += [
                    (self.path.strip("/"), each["labels"]["alertname"], each["status"])
                    for each in body["alerts"]
                ]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def heard(self, alert: str, status: str) -> bool:
        return any(each[1:] == (alert, status) for each in self.told)

    @classmethod
    @contextmanager
    def listening(cls) -> "Iterator[Sink]":
        sink = cls()
        sink._thread.start()
        try:
            yield sink
        finally:
            sink._server.shutdown()
            sink._server.server_close()
            sink._thread.join()

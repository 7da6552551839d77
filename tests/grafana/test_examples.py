"""The examples that lie beside the dashboards: read by the programs that they are for, and leading to what there is."""

import subprocess
from typing import Any

import pytest
import yaml

from grafana.generate.__main__ import HERE
from grafana.generate.alerts import ALERTS
from tests.grafana.tools import tool


def said(*words: str) -> str:
    done = subprocess.run(words, cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(name: str) -> Any:
    return yaml.safe_load((HERE / name).read_text("utf-8"))


def test_prometheus_and_alertmanager_take_their_examples() -> None:
    said(tool("promtool"), "check", "config", "--syntax-only", "prometheus.yml")
    said(tool("amtool"), "check-config", "alertmanager.yml")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each.name)
def test_every_alert_reaches_somebody(alert: Any) -> None:
    receiver = {"critical": "pager", "warning": "tickets", "none": "dead-mans-switch"}[alert.severity]
    asked = ["config", "routes", "test", "--config.file=alertmanager.yml", f"--verify.receivers={receiver}"]
    said(tool("amtool"), *asked, f"alertname={alert.name}", f"severity={alert.severity}", "job=reconciled")


def test_inhibitions_name_only_alerts_that_there_are() -> None:
    text = " ".join(str(rule) for rule in read("alertmanager.yml")["inhibit_rules"])
    names = {alert.name for alert in ALERTS}
    for word in text.replace('"', " ").replace("|", " ").replace("'", " ").replace(".*", " ").split():
        if word.startswith("Reconciled"):
            assert any(name.startswith(word) for name in names), word


def test_the_containers_are_given_files_that_there_are_and_open_no_port_to_the_world() -> None:
    for service in read("compose.yml")["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (HERE / source).exists(), volume
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_grafana_is_provisioned_with_the_boards_where_the_container_has_them() -> None:
    (provider,) = read("provisioning/dashboards/reconciled.yml")["providers"]
    mounted = read("compose.yml")["services"]["grafana"]["volumes"]
    assert f"./dashboards:{provider['options']['path']}:ro" in mounted
    assert not provider["allowUiUpdates"]
    (source,) = read("provisioning/datasources/prometheus.yml")["datasources"]
    assert source["type"] == "prometheus"
    assert source["jsonData"]["timeInterval"] == read("prometheus.yml")["global"]["scrape_interval"]

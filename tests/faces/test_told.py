"""What the log and the counts say of a decision: which request it was, which case, and nobody's name or words."""

import json
from io import StringIO
from typing import Any

import httpx
import pytest

from daemon import logs
from metrics.catalog import cases_opened
from tests.cli.pretend import until
from tests.exemplars import ids
from tests.faces.served import Served, seen


def told(stream: StringIO, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.fixture
def ana(served: Served) -> httpx.Client:
    return served.person("ana")


def test_a_decision_is_a_line_with_its_request_and_its_case_and_the_count_leads_to_it(
    served: Served, ana: httpx.Client
) -> None:
    logs.configure("json", stream := StringIO())
    counted = cases_opened.labels("approval_request")
    before = counted._value.get()
    case = served.stage(served.program("shop"), justification="Ada Lovelace <ada@example.com> wants it back")
    answer = ana.post(f"/api/v1/cases/{case['id']}/approve", json=seen(case, note="Ada called"))
    assert answer.status_code == 200, answer.text
    staged, approved = told(stream, "verb_done")
    (opened,) = told(stream, "case_opened")
    assert (opened["case"], opened["kind"]) == (case["id"], "approval_request")
    assert opened["request_id"] == staged["request_id"]
    assert counted._value.get() == before + 1
    assert (staged["verb"], staged["case"], staged["proposal"]) == (
        "stage",
        case["id"],
        case["proposal"]["id"],
    )
    assert (approved["verb"], approved["case"], approved["account"]) == (
        "approve",
        case["id"],
        case["account"],
    )
    assert approved["subject"] == f"{case['subject']['kind']} {case['subject']['id']}"
    assert approved["request_id"] != staged["request_id"]
    assert ids("approvals_total", decision="approved", actor="human") == {
        "request_id": approved["request_id"]
    }
    assert ids("approval_wait_seconds_bucket") == {"request_id": approved["request_id"]}
    assert "Ada" not in stream.getvalue()
    assert "ada@example.com" not in stream.getvalue()


def test_a_refusal_and_a_fault_are_lines_with_their_case(
    served: Served, ana: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = served.stage(served.program("shop"))
    logs.configure("json", stream := StringIO())
    stale = seen(case) | {"state_hash": "0" * 64}
    assert ana.post(f"/api/v1/cases/{case['id']}/approve", json=stale).status_code == 409
    (refused,) = told(stream, "verb_refused")
    assert (refused["verb"], refused["code"], refused["case"]) == ("approve", "stale_state", case["id"])

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("rk_live_PLANTED00000000")

    monkeypatch.setattr("daemon.desk.caring.journal.append_all", broken)
    answer = ana.post(f"/api/v1/cases/{case['id']}/comment", json={"text": "Ada called"})
    assert answer.status_code == 500, answer.text
    (failed,) = told(stream, "verb_failed")
    until(lambda: told(stream, "request_failed"))  # whoever asked may have the answer before it is logged
    (crashed,) = told(stream, "request_failed")
    assert (failed["verb"], failed["case"], failed["fault"]) == ("comment", case["id"], "ZeroDivisionError")
    assert crashed["request_id"] == failed["request_id"]
    assert "case" not in crashed, "what was said of one is not said of the next"
    assert "PLANTED" not in stream.getvalue()
    assert "Ada" not in stream.getvalue()

"""The journal in cells, as an auditor gets it: on whose authority, what was asked for, what was done, and the proof."""

import csv
import io
import json
from collections.abc import Mapping

import pytest

from accounts.money import Money
from daemon.core.canonical import Json
from daemon.store import journal
from daemon.store.journal import Note
from daemon.views import audit
from tests.deliver.office import UNDO, Command, Office
from tests.desk.rig import ATTEMPTS, PROPOSALS

Rows = list[dict[str, str]]


def exported(reconciled: Command) -> Rows:
    code, text = reconciled("journal", "export", "--format", "csv")
    assert code == 0
    return list(csv.DictReader(io.StringIO(text, newline="")))


def one(rows: Rows, kind: str) -> Mapping[str, str]:
    (found,) = [row for row in rows if row["kind"] == kind]
    return found


@pytest.fixture
def done(office: Office, reconciled: Command) -> Rows:
    """An agent asks for 60.00, Ana cuts it to 45.00 and approves that, and it is done."""
    ana = office.person("ana", accounts=[office.slug], limits=[Money(50_000, "eur")])
    office.person("ben")
    staged = office.stage(office.shop, office.charge(), 6_000)
    row = office.row(staged)
    office.desk.approve(ana, staged.case_id, 1, row.state_hash, None, {**row.details, "amount": 4_500})
    office.later(seconds=UNDO.total_seconds())
    office.act()
    assert office.state(staged) == "superseded"
    return exported(reconciled)


def test_what_was_done_says_on_whose_authority_and_what_was_made_of_what_was_asked_for(
    done: Rows, office: Office
) -> None:
    sent = one(done, "attempt_sent")
    (row,) = office.rows(PROPOSALS, state="succeeded")
    assert (sent["person"], sent["role"]) == ("ana (per_ana)", "approver")
    assert (sent["limits"], sent["accounts"], sent["delegation"]) == ("500.00 EUR", office.slug, "")
    assert sent["method"].startswith("token, tok_")
    assert (json.loads(sent["draft"])["amount"], json.loads(sent["final"])["amount"]) == (6_000, 4_500)
    assert {"op": "replace", "path": "/details/amount", "value": 4_500} in json.loads(sent["difference"])
    assert (sent["policy"], sent["rule"]) == (row.policy_version, row.policy_rule)
    assert sent["state_seen"] == sent["state_executed"] == row.state_hash
    assert (sent["account"], sent["stripe_account"], sent["livemode"]) == (
        office.slug,
        row.stripe_account,
        "yes",
    )
    assert (sent["target"], sent["amount"]) == (f"charge/{row.target_id}", "45.00 EUR")
    assert sent["idempotency_key"] == f"rcl:{row.id}:v2:e1"


def test_every_step_on_the_way_has_its_cells(done: Rows, office: Office) -> None:
    staged, edited, approved = (one(done, f"proposal_{each}") for each in ("staged", "edited", "approved"))
    assert (staged["person"], staged["role"]) == (f"shop ({office.shop.id})", "agent")
    assert (json.loads(staged["draft"])["amount"], staged["final"]) == (6_000, "")
    assert (edited["person"], json.loads(edited["final"])["amount"]) == ("ana (per_ana)", 4_500)
    assert json.loads(edited["difference"]) == json.loads(approved["difference"])
    assert [json.loads(approved[name])["amount"] for name in ("draft", "final")] == [6_000, 4_500]
    assert (approved["version"], approved["amount"]) == ("2", "45.00 EUR")
    ended = one(done, "attempt_succeeded")
    (attempt,) = office.rows(ATTEMPTS)
    assert (ended["object"], ended["outcome"]) == (attempt.object_id, "succeeded")
    assert ended["request_id"] == attempt.request_id
    assert ended["request_id"].startswith("req_")


def test_what_was_refused_has_the_request_that_was_refused(office: Office, reconciled: Command) -> None:
    office.may_not_write()
    office.decide(office.asked("https://api.example.com/hook"))
    office.act()
    failed = one(exported(reconciled), "attempt_failed")
    assert failed["request_id"].startswith("req_")
    assert "may not do this" in failed["outcome"]


def test_whoever_an_agent_asks_for_is_named_and_a_difference_of_the_world_is_none_of_the_draft(
    office: Office, reconciled: Command
) -> None:
    ana, ben = office.person("ana"), office.person("ben")
    charge = office.charge()
    staged = office.stage(office.agent("bot", made_by=ana), charge)
    office.approve(ben, staged)
    office.refund_in_dashboard(charge, 1_000)
    office.later(seconds=UNDO.total_seconds())
    office.act()
    rows = exported(reconciled)
    assert one(rows, "proposal_staged")["delegation"] == "for per_ana"
    stale = one(rows, "proposal_stale")
    assert stale["difference"] == ""
    assert json.loads(stale["world_changed"])["amount_refunded"] == [0, 1_000]


def test_the_cells_are_the_entrys_own_and_their_columns_are_always_the_same(
    done: Rows, office: Office, reconciled: Command
) -> None:
    lines = [json.loads(line) for line in reconciled("journal", "export")[1].splitlines()]
    assert [row["hash"] for row in done] == [line["hash"] for line in lines]
    assert [json.loads(row["body"]) for row in done] == [line["entry"]["body"] for line in lines]
    assert all(tuple(row) == audit.COLUMNS for row in done)


def test_no_spreadsheet_runs_what_somebody_wrote(office: Office, reconciled: Command) -> None:
    starts = ("=", "+", "-", "@", "\t", "\r", "\n", "＝")
    formulas = [f'{start}HYPERLINK("https://evil.example")' for start in starts]
    with office.store.transaction() as session:
        for each in formulas:
            who: dict[str, Json] = {"who": "x", "name": each}
            body: dict[str, Json] = {"authority": who, "why": each, "draft": each, "target": [each, "1"]}
            journal.append(session, Note(each, each, body, subject=(each, each)), office.now())
    rows = exported(reconciled)[-len(starts) :]
    for start, formula, row in zip(starts, formulas, rows, strict=True):
        assert [name for name, cell in row.items() if cell.startswith(start)] == []
        assert row["outcome"] == row["draft"] == row["actor"] == f"'{formula}"


def test_a_body_that_we_never_wrote_stands_there_as_it_is(office: Office, reconciled: Command) -> None:
    bodies: list[dict[str, Json]] = [{"authority": 5}, {"target": "x", "amount": "much"}]
    with office.store.transaction() as session:
        for body in bodies:
            journal.append(session, Note("attempt_sent", "eve", body), office.now())
    rows = exported(reconciled)[-2:]
    assert [(row["actor"], row["person"], json.loads(row["body"])) for row in rows] == [
        ("eve", "", body) for body in bodies
    ]

"""Several rows decided at once, each for itself."""

from typing import Any

from tests.desk.asking import refusal_of
from tests.desk.rig import Rig


def test_a_batch_with_one_stale_row_does_the_others_and_is_a_no_op_again(rig: Rig) -> None:
    """Trap T15: one stale of ten: nine are done, one is told; the same batch again changes nothing."""
    ana, agent = rig.person("ana"), rig.agent("bot")
    staged = [rig.stage(agent, rig.charge(), amount) for amount in range(1, 11)]
    rig.refund_in_dashboard(rig.row(staged[4]).target_id, 100)
    rows = [vote(rig, each) for each in staged]
    first = rig.desk.batch(ana, rows)
    assert [each["status"] for each in first] == [200] * 4 + [409] + [200] * 5
    assert first[4]["code"] == "stale_state"
    before = rig.kinds()
    second = rig.desk.batch(ana, rows)
    assert [each.get("changed") for each in second] == [False] * 4 + [None] + [False] * 5
    assert second[4]["code"] == "stale_version"
    assert rig.kinds() == before


def test_a_batch_is_up_to_twenty_five_rows_each_for_itself(rig: Rig) -> None:
    """Trap E14: many at once: an outcome per row, and one that fails takes nothing from the rest."""
    ana, agent = rig.person("ana"), rig.agent("bot")
    charge = rig.charge(100_000)
    staged = [rig.stage(agent, charge, amount) for amount in range(1, 24)]
    rows: list[dict[str, Any]] = [vote(rig, each) for each in staged]
    rows += [{"verb": "approve", "case_id": "case_none", "version": 1, "state_hash": ""}, {"verb": "delete"}]
    results = rig.desk.batch(ana, rows)
    assert [each["status"] for each in results] == [200] * 23 + [404, 422]
    assert {rig.state(each) for each in staged} == {"approved"}
    assert refusal_of(rig.desk.batch, ana, [*rows, rows[0]]).code == "bad_details"


def vote(rig: Rig, staged: Any) -> dict[str, Any]:
    return {"verb": "approve", "case_id": staged.case_id, "version": staged.version,
            "state_hash": rig.row(staged).state_hash}  # fmt: skip

"""What explains what: one effect answers to at most one decision, and as many as can be are explained."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from accounts.stripe.shapes import Refund
from daemon.core.model import CallerApproval
from daemon.core.moves import explanations
from tests.payments import NOW, at, charge, facts, refund

MINUTES = st.integers(0, 40)
AMOUNTS = st.sampled_from([1000, 2000])
CHARGES = st.sampled_from(["ch_1", "ch_2"])


@st.composite
def refunds(draw: st.DrawFn) -> tuple[Refund, ...]:
    return tuple(
        refund(
            f"re_{n}",
            amount=draw(AMOUNTS),
            charge=draw(CHARGES),
            created=at(NOW + timedelta(minutes=draw(MINUTES))),
        )
        for n in range(draw(st.integers(0, 4)))
    )


@st.composite
def approvals(draw: st.DrawFn) -> tuple[CallerApproval, ...]:
    made = []
    for n in range(draw(st.integers(0, 4))):
        approved_at = NOW + timedelta(minutes=draw(MINUTES))
        expires_at = approved_at + timedelta(minutes=draw(st.sampled_from([5, 15, 30])))
        made.append(
            CallerApproval(
                f"prop_{n}",
                1,
                "refund",
                "charge",
                draw(CHARGES),
                approved_at,
                expires_at,
                {},
                draw(AMOUNTS),
                "eur",
            )
        )
    return tuple(made)


@given(refunds(), approvals())
def test_every_effect_is_explained_once_or_not_at_all(
    made: tuple[Refund, ...], allowed: tuple[CallerApproval, ...]
) -> None:
    """Trap D2: one effect answers to one decision."""
    found = explanations(facts(charges=(charge("ch_1"), charge("ch_2")), refunds=made, approvals=allowed))

    taken = [move.id for move in (*found.matching.values(), *found.differing.values(), *found.unexplained)]
    assert sorted(taken) == sorted(each.id for each in made)
    assert not found.matching.keys() & found.differing.keys()
    by_id, by_proposal = {each.id: each for each in made}, {each.proposal_id: each for each in allowed}
    for proposal_id, move in found.matching.items():
        assert move.amount_minor == by_proposal[proposal_id].amount_minor
    for proposal_id, move in (*found.matching.items(), *found.differing.items()):
        approval = by_proposal[proposal_id]
        assert by_id[move.id].charge == approval.target_id
        assert (
            approval.approved_at - timedelta(minutes=1)
            <= move.at
            <= approval.expires_at + timedelta(minutes=1)
        )


@given(refunds(), approvals())
def test_the_order_in_which_things_were_read_does_not_matter(
    made: tuple[Refund, ...], allowed: tuple[CallerApproval, ...]
) -> None:
    there = explanations(facts(refunds=made, approvals=allowed))
    back = explanations(facts(refunds=made[::-1], approvals=allowed[::-1]))

    assert there == back


@given(st.lists(MINUTES, min_size=1, max_size=4, unique=True))
def test_approvals_with_overlapping_times_explain_all_they_can(minutes: list[int]) -> None:
    """Each refund lies in the window of its own approval; taking the first to expire never strands another."""
    made = tuple(refund(f"re_{m}", created=at(NOW + timedelta(minutes=m))) for m in minutes)
    allowed = tuple(
        CallerApproval(
            f"prop_{m}",
            1,
            "refund",
            "charge",
            "ch_1",
            NOW + timedelta(minutes=m - n),
            NOW + timedelta(minutes=m + 2 * n),
            {},
            2000,
            "eur",
        )
        for n, m in enumerate(minutes)
    )

    assert explanations(facts(refunds=made, approvals=allowed)).unexplained == ()


def test_a_tag_chooses_between_two_approvals_of_the_same() -> None:
    from accounts.stripe.shapes import Metadata

    first = CallerApproval(
        "prop_1", 1, "refund", "charge", "ch_1", NOW, NOW + timedelta(minutes=5), {}, 2000, "eur"
    )
    second = replace(first, proposal_id="prop_2", expires_at=NOW + timedelta(minutes=9))
    named = refund(created=at(NOW), metadata=Metadata({"reconciled_proposal": "prop_2"}))

    found = explanations(facts(refunds=(named,), approvals=(first, second)))

    assert set(found.matching) == {"prop_2"}

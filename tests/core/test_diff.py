"""From what should stand and what stands to what is changed: once, in any order, and only what was judged."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from accounts.facts import Subject
from daemon.core.diff import Change, Changes, Reason, Verb, Withheld, diff
from daemon.core.judge import Verdict, Wanted
from daemon.core.model import (
    DUE_UNKNOWN,
    CaseState,
    Disagreement,
    Dismissal,
    Due,
    Kind,
    Severity,
    Standing,
    Substate,
    System,
)
from tests.builders import ACME, customer

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
SUBJECT = Subject("acme", "customer", "cus_1")
KINDS = (Kind.PLAN_MISMATCH, Kind.GRACE_EXPIRED, Kind.REFUND_FAILED)
FACTS = customer().paying("pro").facts()
VERSION = "p1"


def found(kind: Kind = Kind.PLAN_MISMATCH, id: str = "sub_1", **says: object) -> Disagreement:
    plan = str(says.pop("plan", "pro"))
    made = Disagreement(
        kind=kind,
        subject=SUBJECT,
        per=("subscription", id),
        title="…",
        facts={System.STRIPE: {"plan": plan}},
    )
    return replace(made, **says)  # type: ignore[arg-type]


def wanted(one: Disagreement, *, settled: bool = True) -> Wanted:
    return Wanted(one.fingerprint(ACME), one, settled)


def verdict(
    *them: Wanted, judged: frozenset[Kind] = frozenset(Kind), off: frozenset[Kind] = frozenset()
) -> Verdict:
    return Verdict(FACTS, judged, them, off)


def case(one: Disagreement, **changes: object) -> Standing:
    fingerprint = one.fingerprint(ACME)
    made = Standing(
        id=f"case_{fingerprint[:8]}",
        fingerprint=fingerprint,
        kind=one.kind.value,
        state=CaseState.OPEN,
        substate=Substate.NEW,
        severity=one.severity,
        facts_hash=one.facts_hash,
        digest=one.digest(VERSION),
        due_at=one.due_at if isinstance(one.due_at, datetime) else None,
        due_unknown=isinstance(one.due_at, Due),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def by_fingerprint(*cases: Standing) -> dict[str, Standing]:
    return {each.fingerprint: each for each in cases}


def look(
    said: Verdict, *cases: Standing, dismissals: Mapping[str, Dismissal] | None = None, now: datetime = NOW
) -> Changes:
    return diff(said, by_fingerprint(*cases), dismissals or {}, now, VERSION)


def told(changes: Changes) -> list[tuple[Verb, Reason]]:
    return [(each.verb, each.reason) for each in changes.made]


def applied(changes: Changes, standing: Mapping[str, Standing]) -> dict[str, Standing]:
    """What the store holds afterwards."""
    after = dict(standing)
    for change in changes.made:
        after[change.fingerprint] = _after(change, after.get(change.fingerprint))
    return after


def _after(change: Change, before: Standing | None) -> Standing:
    if change.disagreement is not None:
        new = case(change.disagreement, digest=change.digest)
        if before is not None:
            new = replace(
                new,
                id=before.id,
                state=before.state,
                snoozed_until=before.snoozed_until,
                claimed=before.claimed,
                executed=before.executed,
            )
        if change.verb in (Verb.OPEN, Verb.REOPEN):
            new = replace(new, state=CaseState.OPEN, snoozed_until=None)
        return replace(new, substate=change.substate or (before.substate if before else Substate.NEW))
    assert before is not None
    if change.verb is Verb.WAKE:
        return replace(before, state=CaseState.OPEN, snoozed_until=None)
    assert change.substate is not None
    return replace(before, state=CaseState.RESOLVED, substate=change.substate, snoozed_until=None)


def test_what_is_wanted_and_new_is_opened_once() -> None:
    one = found()

    changes = look(verdict(wanted(one)))

    assert told(changes) == [(Verb.OPEN, Reason.FIRST_SEEN)]
    assert changes.made[0].substate is Substate.NEW
    assert look(verdict(wanted(one)), case(one)) == Changes()


def test_a_changed_fact_refreshes_and_says_why() -> None:
    before = case(found())

    assert told(look(verdict(wanted(found(plan="team"))), before)) == [(Verb.REFRESH, Reason.FACTS_CHANGED)]
    urgent = found(severity=Severity.CRITICAL)
    assert told(look(verdict(wanted(urgent)), before)) == [(Verb.REFRESH, Reason.URGENCY_CHANGED)]
    assert told(look(verdict(wanted(found(title="other"))), before)) == [
        (Verb.REFRESH, Reason.WORDING_CHANGED)
    ]


def test_another_policy_version_is_written_to_the_case() -> None:
    changes = diff(verdict(wanted(found())), by_fingerprint(case(found())), {}, NOW, "p2")

    assert told(changes) == [(Verb.REFRESH, Reason.WORDING_CHANGED)]


def test_a_refresh_keeps_the_substate_that_somebody_else_set() -> None:
    executing = case(found(), substate=Substate.EXECUTING)

    (change,) = look(verdict(wanted(found(plan="team"))), executing).made

    assert change.substate is None


def test_agreement_resolves_only_what_was_judged() -> None:
    unjudged = frozenset(Kind) - {Kind.PLAN_MISMATCH}

    assert told(look(verdict(), case(found()))) == [(Verb.RESOLVE, Reason.AGREEMENT)]
    assert told(look(verdict(judged=unjudged), case(found()))) == []


def test_how_a_case_ended_is_told() -> None:
    one = case(found())
    off = verdict(off=frozenset({Kind.PLAN_MISMATCH}))

    def substates(changes: Changes) -> list[Substate | None]:
        return [each.substate for each in changes.made]

    assert substates(look(verdict(), one)) == [Substate.AGREEMENT_RETURNED]
    assert substates(look(verdict(), replace(one, executed=True))) == [Substate.EXECUTED]
    assert substates(look(off, one)) == [Substate.DISMISSED]


def test_what_comes_back_is_the_same_case() -> None:
    resolved = case(found(), state=CaseState.RESOLVED, substate=Substate.AGREEMENT_RETURNED)

    (change,) = look(verdict(wanted(found())), resolved).made

    assert (change.verb, change.reason, change.substate) == (Verb.REOPEN, Reason.CAME_BACK, Substate.ONGOING)
    assert change.standing == resolved


def test_what_has_not_settled_opens_nothing_and_ends_nothing() -> None:
    unsettled = wanted(found(plan="team"), settled=False)

    opening = look(verdict(unsettled))
    assert opening.made == ()
    assert opening.withheld == (Withheld(Reason.SETTLING, unsettled.fingerprint, Kind.PLAN_MISMATCH),)
    assert told(look(verdict(unsettled), case(found()))) == [(Verb.REFRESH, Reason.FACTS_CHANGED)]
    resolved = case(found(), state=CaseState.RESOLVED)
    assert look(verdict(unsettled), resolved).made == ()


def test_a_held_rule_opens_only_what_was_released() -> None:
    first, second = wanted(found(id="sub_1")), wanted(found(id="sub_2"))
    held = frozenset({Kind.PLAN_MISMATCH})

    changes = diff(
        verdict(first, second), {}, {}, NOW, VERSION, held=held, released=frozenset({second.fingerprint})
    )

    assert [each.fingerprint for each in changes.made] == [second.fingerprint]
    assert changes.withheld == (Withheld(Reason.STORM, first.fingerprint, Kind.PLAN_MISMATCH),)
    standing = by_fingerprint(case(found(id="sub_1")))
    assert diff(verdict(first), standing, {}, NOW, VERSION, held=held).made == ()


def test_a_dismissal_holds_while_the_facts_are_those_that_were_accepted() -> None:
    one = found()
    accepted = {one.fingerprint(ACME): Dismissal(one.fingerprint(ACME), one.facts_hash)}
    dismissed = case(one, state=CaseState.RESOLVED, substate=Substate.DISMISSED)

    assert look(verdict(wanted(one)), dismissed, dismissals=accepted).made == ()
    changed = look(verdict(wanted(found(plan="team"))), dismissed, dismissals=accepted)
    assert told(changed) == [(Verb.REOPEN, Reason.NO_LONGER_ACCEPTED)]
    back = look(verdict(wanted(one)), case(one), dismissals=accepted)
    assert told(back) == [(Verb.RESOLVE, Reason.ACCEPTED)]
    assert back.made[0].substate is Substate.DISMISSED


def test_a_dismissal_may_end_on_a_day() -> None:
    one = found()
    until = NOW + timedelta(days=1)
    accepted = {one.fingerprint(ACME): Dismissal(one.fingerprint(ACME), one.facts_hash, until)}
    dismissed = case(one, state=CaseState.RESOLVED, substate=Substate.DISMISSED)

    assert look(verdict(wanted(one)), dismissed, dismissals=accepted).look_again_at == until
    ended = look(verdict(wanted(one)), dismissed, dismissals=accepted, now=until)
    assert told(ended) == [(Verb.REOPEN, Reason.NO_LONGER_ACCEPTED)]


def test_a_dismissed_case_that_was_snoozed_is_not_woken_as_well() -> None:
    one = found()
    accepted = {one.fingerprint(ACME): Dismissal(one.fingerprint(ACME), one.facts_hash)}
    asleep = case(one, state=CaseState.SNOOZED, snoozed_until=NOW)

    assert told(look(verdict(wanted(one)), asleep, dismissals=accepted)) == [(Verb.RESOLVE, Reason.ACCEPTED)]


def test_a_snoozed_case_is_refreshed_asleep_and_woken_in_time() -> None:
    until = NOW + timedelta(days=2)
    asleep = case(found(), state=CaseState.SNOOZED, snoozed_until=until)

    refreshed = look(verdict(wanted(found(plan="team"))), asleep)
    assert told(refreshed) == [(Verb.REFRESH, Reason.FACTS_CHANGED)]
    assert refreshed.look_again_at == until
    assert told(look(verdict(wanted(found())), asleep, now=until)) == [(Verb.WAKE, Reason.SNOOZE_OVER)]
    assert told(look(verdict(), asleep)) == [(Verb.RESOLVE, Reason.AGREEMENT)]


def test_t41_a_snooze_does_not_outlast_a_disputes_deadline() -> None:
    due_at = NOW + timedelta(days=5)
    disputed = found(Kind.DISPUTE_DEADLINE, "dp_1", due_at=due_at)
    asleep = case(disputed, state=CaseState.SNOOZED, snoozed_until=due_at + timedelta(days=9))

    sleeping = look(verdict(wanted(disputed)), asleep)
    assert sleeping.made == ()
    assert sleeping.look_again_at == due_at - timedelta(hours=72)
    woken = look(verdict(wanted(disputed)), asleep, now=due_at - timedelta(hours=72))
    assert told(woken) == [(Verb.WAKE, Reason.DEADLINE_NEAR)]


def test_a_snooze_ends_when_the_deadline_moves_or_is_not_known_any_more() -> None:
    asleep = case(
        found(Kind.DISPUTE_DEADLINE, due_at=NOW + timedelta(days=30)),
        state=CaseState.SNOOZED,
        snoozed_until=NOW + timedelta(days=20),
    )
    moved = found(Kind.DISPUTE_DEADLINE, due_at=NOW + timedelta(days=2))
    unknown = found(Kind.DISPUTE_DEADLINE, due_at=DUE_UNKNOWN)

    for said in (moved, unknown):
        assert (Verb.WAKE, Reason.DEADLINE_NEAR) in told(look(verdict(wanted(said)), asleep))


def test_a_case_whose_action_is_under_way_is_not_resolved_beside_it() -> None:
    claimed = case(found(), claimed=True, substate=Substate.EXECUTING)

    changes = look(verdict(), claimed)

    assert changes.made == ()
    assert [each.reason for each in changes.withheld] == [Reason.BEING_EXECUTED]


def test_an_escalated_disagreement_says_so() -> None:
    (change,) = look(verdict(wanted(found(escalated_by="high_value")))).made

    assert change.substate is Substate.ESCALATED


def test_t42_the_name_of_an_account_is_not_part_of_what_a_case_is() -> None:
    """Trap T42: the name of an account may change."""
    renamed = replace(ACME, slug="new-name")

    assert found().fingerprint(ACME) == found().fingerprint(renamed)
    assert found().fingerprint(ACME) != found().fingerprint(replace(ACME, stripe_account="acct_2"))
    assert found().fingerprint(ACME) != found().fingerprint(replace(ACME, livemode=False))
    assert found().fingerprint(ACME) == found(plan="team", severity=Severity.LOW).fingerprint(ACME)


World = tuple[Verdict, dict[str, Standing], dict[str, Dismissal], frozenset[Kind]]

# Any world: who wants what, what stands, what was read, what people have said.

IDS = ("sub_1", "sub_2", "sub_3")
moments = st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=1), NOW + timedelta(days=30)])
disagreements = st.builds(
    found,
    st.sampled_from(KINDS),
    st.sampled_from(IDS),
    plan=st.sampled_from(["pro", "team"]),
    severity=st.sampled_from(Severity),
    due_at=st.one_of(moments, st.just(DUE_UNKNOWN)),
)
all_wanted = st.lists(
    st.builds(wanted, disagreements, settled=st.booleans()),
    max_size=6,
    unique_by=lambda each: each.fingerprint,
)


@st.composite
def cases(draw: st.DrawFn) -> Standing:
    one = draw(disagreements)
    state = draw(st.sampled_from(CaseState))
    return case(
        one,
        state=state,
        substate=draw(st.sampled_from([Substate.DISMISSED, Substate.AGREEMENT_RETURNED]))
        if state is CaseState.RESOLVED
        else Substate.ONGOING,
        snoozed_until=draw(moments) or NOW if state is CaseState.SNOOZED else None,
        claimed=draw(st.booleans()),
        executed=draw(st.booleans()),
    )


standings = st.lists(cases(), max_size=6).map(lambda each: by_fingerprint(*each))
judgeds = st.frozensets(st.sampled_from(KINDS))
dismissed = st.lists(disagreements, max_size=3).map(
    lambda them: {each.fingerprint(ACME): Dismissal(each.fingerprint(ACME), each.facts_hash) for each in them}
)
helds = st.frozensets(st.sampled_from(KINDS[:2]))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    judged = draw(judgeds)
    them = [each for each in draw(all_wanted) if each.disagreement.kind in judged]
    return verdict(*them, judged=judged), draw(standings), draw(dismissed), draw(helds)


@given(worlds())
def test_a_second_look_at_the_same_world_changes_nothing(world: World) -> None:
    said, standing, accepted, held = world

    after = applied(diff(said, standing, accepted, NOW, VERSION, held=held), standing)

    assert diff(said, after, accepted, NOW, VERSION, held=held).made == ()


@given(worlds(), st.randoms())
def test_the_order_in_which_things_are_found_does_not_matter(world: World, shuffled: random.Random) -> None:
    said, standing, accepted, held = world
    them, known = list(said.wanted), list(standing.items())
    shuffled.shuffle(them)
    shuffled.shuffle(known)

    other = verdict(*them, judged=said.judged)

    assert (
        diff(said, standing, accepted, NOW, VERSION, held=held).made
        == diff(other, dict(known), accepted, NOW, VERSION, held=held).made
    )


@given(worlds())
def test_exactly_what_is_judged_and_not_wanted_is_resolved(world: World) -> None:
    said, standing, accepted, held = world
    should = {each.fingerprint: each.disagreement for each in said.wanted}

    changes = diff(said, standing, accepted, NOW, VERSION, held=held)

    resolved = {each.fingerprint for each in changes.made if each.verb is Verb.RESOLVE}
    assert resolved == {
        fingerprint
        for fingerprint, each in standing.items()
        if each.state is not CaseState.RESOLVED
        and not each.claimed
        and each.kind in said.judged
        and (
            fingerprint not in should
            or (
                fingerprint in accepted and accepted[fingerprint].facts_hash == should[fingerprint].facts_hash
            )
        )
    }


@given(worlds())
def test_what_was_not_judged_stays_as_it_is(world: World) -> None:
    said, standing, accepted, held = world

    after = applied(diff(said, standing, accepted, NOW, VERSION, held=held), standing)

    for fingerprint, before in standing.items():
        if before.kind not in said.judged:
            woken = replace(before, state=CaseState.OPEN, snoozed_until=None)
            assert after[fingerprint] in ((before, woken) if before.state is CaseState.SNOOZED else (before,))


@given(all_wanted, standings, dismissed)
def test_a_world_at_rest_stands_as_for_somebody_who_never_saw_another(
    them: list[Wanted], standing: dict[str, Standing], accepted: dict[str, Dismissal]
) -> None:
    settled = [wanted(each.disagreement) for each in them]
    unclaimed = {each.fingerprint: replace(each, claimed=False) for each in standing.values()}

    def stands(before: dict[str, Standing]) -> set[tuple[str, str, str]]:
        after = applied(diff(verdict(*settled), before, accepted, NOW, VERSION), before)
        return {
            (each.fingerprint, each.digest, each.severity)
            for each in after.values()
            if each.state is not CaseState.RESOLVED
        }

    assert stands(unclaimed) == stands({})

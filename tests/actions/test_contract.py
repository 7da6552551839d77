"""What holds for everything that can be done to the world, whatever it is."""

import json
from dataclasses import replace
from typing import cast

import pytest

from accounts.errors import Uncertain
from accounts.facts import Subject
from daemon.actions import ACTIONS, BY_NAME
from daemon.actions.shape import Action, BadDetails, Done, Place, Trace
from daemon.core.canonical import canonical
from metrics.catalog import ACTIONS as COUNTED
from tests.actions.examples import EXAMPLES, Details, Example, Wrong
from tests.actions.rig import KEY, TAG, Rig

PLACE = Place("shop", "acct_1Shop", True, Subject("shop", "customer", "cus_1"))
NAMES = (
    "refund", "capture", "dispute_evidence", "dispute_accept", "invoice_pay", "invoice_send", "invoice_void",
    "invoice_uncollectible", "credit_note", "subscription_cancel", "subscription_pause", "subscription_resume",
    "subscription_change", "payout_create", "payout_cancel", "review_approve", "payment_link", "entitlement_set",
    "crm_update", "crm_task", "message", "acknowledge",
)  # fmt: skip
EXECUTED = tuple(name for name in NAMES if not name.startswith("payout_"))
ON_STRIPE = tuple(name for name in EXECUTED if BY_NAME[name].where == "stripe")

each = pytest.mark.parametrize("name", NAMES)
executed = pytest.mark.parametrize("name", EXECUTED)
on_stripe = pytest.mark.parametrize("name", ON_STRIPE)


def of(name: str) -> tuple[Action, Example]:
    return BY_NAME[name], EXAMPLES[name]


def test_all_that_the_surface_names_can_be_asked_for_and_nothing_else() -> None:
    assert tuple(action.name for action in ACTIONS) == NAMES == tuple(BY_NAME)
    assert set(EXAMPLES) == set(NAMES)
    assert {action.name for action in ACTIONS if action.caller_only} == {"payout_create", "payout_cancel"}
    assert set(COUNTED) == set(EXECUTED), "what is executed is counted, under its own name"


@each
def test_what_is_asked_for_is_read_the_same_again_from_what_is_stored(name: str, rig: Rig) -> None:
    action, example = of(name)
    asked, _ = rig.ask(action, example.details(rig.record_key))
    stored = json.loads(canonical(asked.details)) | json.loads(canonical(asked.personal))
    again = action.read(stored, rig.place)
    assert canonical(again.details) == canonical(asked.details)
    assert canonical(again.personal) == canonical(asked.personal)
    assert (again.target, again.money) == (asked.target, asked.money)


@pytest.mark.parametrize(
    ("name", "wrong"), [(name, wrong) for name, example in EXAMPLES.items() for wrong in example.wrong]
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(name: str, wrong: Wrong) -> None:
    action, example = of(name)
    action.read(example.details("record-1"), PLACE)
    with pytest.raises(BadDetails) as raised:
        action.read(cast(Details, {**example.details("record-1"), **wrong}), PLACE)
    sentence = str(raised.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert any(field in sentence for field in wrong), f"it does not say which field: {sentence}"


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if example.missing])
def test_what_does_not_exist_is_said_to_be_missing(name: str, rig: Rig) -> None:
    action, example = of(name)
    with pytest.raises(BadDetails) as raised:
        rig.ask(action, cast(Details, {**example.details(rig.record_key), **(example.missing or {})}))
    assert any(field in str(raised.value) for field in example.missing or {})


@each
def test_the_button_says_what_happens_where_and_whether_it_is_real(name: str, rig: Rig) -> None:
    action, example = of(name)
    asked, _ = rig.ask(action, example.details(rig.record_key))
    sentence = action.describe(asked, rig.place)
    assert example.says in sentence
    assert sentence.endswith(" on shop (live)")
    assert action.describe(asked, replace(rig.place, livemode=False)).endswith(" on shop (test)")


@each
def test_what_is_material_is_the_same_as_long_as_the_world_is(name: str, rig: Rig) -> None:
    action, example = of(name)
    first = rig.material(action, example.details(rig.record_key))
    rig.shop.sandbox.on_loop(lambda: rig.shop.sandbox.world.clock.advance(60))
    assert rig.material(action, example.details(rig.record_key)) == first


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if example.changes])
def test_a_change_of_what_is_material_is_seen(name: str, rig: Rig) -> None:
    action, example = of(name)
    details = example.details(rig.record_key)
    before = rig.material(action, details)
    for what, change in example.changes.items():
        change(rig)
        after = rig.material(action, details)
        assert after != before, f"nobody would notice a change of {what}"
        before = after


@executed
def test_it_does_what_it_says_and_nothing_else(name: str, rig: Rig) -> None:
    action, example = of(name)
    before = rig.writes()
    done = rig.act(action, example.details(rig.record_key))
    assert isinstance(done, Done)
    assert example.done(rig)
    after = rig.writes()
    sent = {path: count - before.get(path, 0) for path, count in after.items()}
    assert {path: count for path, count in sent.items() if count} == dict(example.writes)


@pytest.mark.parametrize("name", [name for name in EXECUTED if BY_NAME[name].repeatable])
def test_the_same_key_and_parameters_again_are_one_effect(name: str, rig: Rig) -> None:
    action, example = of(name)
    asked, seen = rig.ask(action, example.details(rig.record_key))
    request = action.request(asked, seen, TAG)
    first = action.execute(rig.hands(), asked, request, key=KEY)
    second = action.execute(rig.hands(), asked, request, key=KEY)
    assert second.object_id == first.object_id
    assert example.done(rig), "it was done twice"


@each
def test_its_request_is_canonical_and_holds_nothing_personal(name: str, rig: Rig) -> None:
    action, example = of(name)
    details = example.details(rig.record_key)
    asked, seen = rig.ask(action, details)
    request = canonical(action.request(asked, seen, TAG)).decode()
    stored = canonical(asked.details).decode() + canonical(seen.material).decode() + request
    for word in ("Lovelace", "A chair", "Call Ada", "She owes", "example.com", "hosted", "Ada Ltd"):
        assert word not in stored


@on_stripe
def test_an_effect_whose_answer_was_lost_is_found(name: str, rig: Rig) -> None:
    action, example = of(name)
    asked, sent = rig.sent(action, example.details(rig.record_key))
    rig.fault("answers_lost")
    with pytest.raises(Uncertain):
        rig.act(action, example.details(rig.record_key))
    rig.heal()
    assert isinstance(rig.verify(action, asked, sent), Done)


@on_stripe
def test_a_call_that_never_arrived_is_found_to_be_absent(name: str, rig: Rig) -> None:
    action, example = of(name)
    asked, sent = rig.sent(action, example.details(rig.record_key))
    rig.fault("errors_before_write")
    with pytest.raises(Uncertain):
        rig.act(action, example.details(rig.record_key))
    rig.heal()
    rig.shop.sandbox.on_loop(lambda: rig.shop.sandbox.world.clock.advance(600))
    assert rig.verify(action, asked, sent) is Trace.ABSENT


@pytest.mark.parametrize("name", [name for name in NAMES if not BY_NAME[name].verifiable])
def test_what_no_look_can_tell_is_left_to_a_person(name: str, rig: Rig) -> None:
    action, example = of(name)
    asked, sent = rig.sent(action, example.details(rig.record_key))
    assert rig.verify(action, asked, sent) is Trace.UNSURE
    rig.act(action, example.details(rig.record_key))
    assert rig.verify(action, asked, sent) is Trace.UNSURE

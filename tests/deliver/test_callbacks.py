"""Callbacks: what a caller hears of its proposal, in which order, how often, signed with what."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

import pytest
import standardwebhooks.webhooks
from standardwebhooks import Webhook, WebhookVerificationError

from daemon.deliver import JITTER, PAUSES, TRIES_MAX
from daemon.desk.refusals import Refusal
from daemon.store import outbox
from metrics.catalog import deliveries
from tests.deliver.office import UNDO, Office
from tests.deliver.receiver import PATIENCE_S, Call, Receiver
from tests.exemplars import ids

DAY = timedelta(days=1)
ELSEWHERE = "https://api.example.com/hook"


def clock_of(office: Office) -> type[datetime]:
    """A receiver's library asks the time: that of the pretend world."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return office.now()

    return Clock


@pytest.fixture(autouse=True)
def their_clock(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", clock_of(office))


def verified(call: Call, secret: str) -> bool:
    """Whether a receiver's own library takes it, with this secret."""
    try:
        Webhook(secret).verify(call.body, call.headers)
    except WebhookVerificationError:
        return False
    return True


def count(outcome: str) -> float:
    return float(deliveries.labels("callback", outcome)._value.get())


def test_a_decision_is_told_signed_as_standard_webhooks_has_it(office: Office, receiver: Receiver) -> None:
    staged = office.asked(receiver.url)
    office.decide(staged)
    office.send()
    (call,) = receiver.calls
    (secret,) = office.secrets()
    assert verified(call, secret)
    assert not verified(Call(call.path, call.headers, call.body + b" "), secret)
    assert not verified(call, "whsec_" + "A" * 43 + "=")
    row = office.row(staged)
    said = {"type": "approval.approved", "id": row.id, "status": "approved", "sequence": 1, "version": 1}
    assert said.items() <= call.said.items()
    assert call.said["effective_details"]["amount"] == 6_000
    assert "ada" not in call.body.decode().lower()
    assert [each.state for each in office.outbox()] == ["delivered"]
    office.send()
    assert len(receiver.calls) == 1
    assert ids("deliveries_total", channel="callback", outcome="delivered") == {
        "message_id": call.headers["webhook-id"]
    }


def test_a_receiver_whose_clock_is_minutes_off_refuses_what_was_signed(
    office: Office, receiver: Receiver
) -> None:
    """Trap T52: a message that somebody kept and sends again is too old."""
    office.decide(office.asked(receiver.url))
    office.send()
    office.later(minutes=4)
    assert verified(receiver.calls[0], office.secrets()[0])
    office.later(minutes=2)
    assert not verified(receiver.calls[0], office.secrets()[0])


def test_an_approval_is_told_only_when_nobody_can_take_it_back_any_more(
    office: Office, receiver: Receiver
) -> None:
    staged = office.asked(receiver.url)
    ana = office.person("ana")
    office.approve(ana, staged)
    assert office.send() == []
    office.desk.revoke(ana, staged.case_id, 1, "too early")
    office.later(seconds=UNDO.total_seconds())
    office.send()
    assert receiver.calls == []


def test_three_failures_and_then_an_answer_are_one_message(office: Office, receiver: Receiver) -> None:
    """Trap T43: 500 three times, then 200: the same id, growing tries, and one effective message."""
    office.decide(office.asked(receiver.url))
    receiver.answers.extend([500, 500, 500, 200])
    tries: list[int] = []
    for pause in (timedelta(0), *PAUSES[:4]):
        office.later(seconds=pause.total_seconds())
        office.send()
        tries.append(office.outbox()[0].tries)
    assert tries == [1, 2, 3, 4, 4]
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
    assert len({call.body for call in receiver.calls}) == 1
    times = [int(call.headers["webhook-timestamp"]) for call in receiver.calls]
    assert all(earlier < later for earlier, later in pairwise(times)), "every try is signed anew"
    (row,) = office.outbox()
    assert (row.state, row.error, row.delivered_at is not None) == ("delivered", None, True)


def test_a_try_that_failed_waits_before_the_next(office: Office, receiver: Receiver) -> None:
    office.decide(office.asked(receiver.url))
    receiver.answers.append(503)
    office.send()
    (row,) = office.outbox()
    assert "answered 503" in row.error
    wait = row.due - office.now()
    assert PAUSES[0] * (1 - JITTER) <= wait <= PAUSES[0]
    assert office.send() == []


def test_a_slow_receiver_delays_no_decision_and_nobody_else(office: Office, receiver: Receiver) -> None:
    """Trap T44: while somebody does not answer, people decide, and others are told."""
    office.decide(office.asked(receiver.url))
    receiver.goes_on.clear()
    sending = threading.Thread(target=office.send)
    sending.start()
    try:
        assert receiver.asked.wait(PATIENCE_S)
        elsewhere = office.asked(ELSEWHERE)
        office.decide(elsewhere)
        assert office.state(elsewhere) == "approved"
        office.act()
        assert office.state(elsewhere) == "succeeded"
        with office.store.reading() as session:
            assert "api.example.com" in outbox.receivers_due(session, office.now())
    finally:
        receiver.goes_on.set()
        sending.join(PATIENCE_S)
    assert office.outbox(receiver=f"127.0.0.1:{receiver.port}")[0].state == "delivered"


def test_a_decision_and_a_later_failure_are_two_messages_in_order(office: Office, receiver: Receiver) -> None:
    """Trap T45: the receiver can tell the later from the earlier, in whichever order they arrive."""
    office.may_not_write()
    staged = office.asked(receiver.url)
    office.decide(staged)
    office.send()
    office.act()
    assert office.state(staged) == "failed"
    office.send()
    sequences = [call.said["sequence"] for call in receiver.calls]
    assert sequences == sorted(set(sequences))
    told = [(call.said["status"], call.said["execution"]["status"]) for call in receiver.calls]
    assert told[0] == ("approved", "waiting")
    assert told[-1] == ("approved", "failed")
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == len(told)


def test_during_a_rotation_both_secrets_sign(office: Office, receiver: Receiver) -> None:
    """Trap T46: the secret is rotated between two tries: for a day the old one verifies, too."""
    office.decide(office.asked(receiver.url))
    (old,) = office.secrets()
    receiver.answers.append(500)
    office.send()
    office.rotate()
    new, still = office.secrets()
    assert still == old != new
    office.later(seconds=PAUSES[0].total_seconds())
    office.send()
    first, second = receiver.calls
    assert verified(second, old)
    assert verified(second, new)
    assert len(first.headers["webhook-signature"].split()) == 1
    assert len(second.headers["webhook-signature"].split()) == 2
    office.later(days=1)
    office.decide(office.asked(receiver.url))
    office.send()
    last = receiver.calls[-1]
    assert verified(last, new)
    assert not verified(last, old)


def test_where_a_name_leads_is_asked_at_every_try_and_a_block_is_journaled_once(office: Office) -> None:
    """Trap T47: what led outside leads inside at the next try; nobody there hears anything."""
    with Receiver() as inside:
        leads_to: list[Sequence[str]] = [[], ["169.254.169.254"], ["127.0.0.1"], ["127.0.0.1"]]
        asked: list[str] = []

        def resolve(host: str, port: int) -> Sequence[str]:
            asked.append(host)
            return leads_to[min(len(asked), len(leads_to)) - 1]

        allow = ["api.example.com", f"api.example.com:{inside.port}"]
        deliver = office.deliver(allow, resolve)
        office.decide(office.asked(ELSEWHERE))
        blocked = count("blocked")
        for pause in (timedelta(0), *PAUSES[:3]):
            office.later(seconds=pause.total_seconds())
            office.send(deliver)
        assert inside.calls == []
    assert len(asked) == 4
    assert count("blocked") == blocked + 3
    notes = [entry.body for entry in office.journal("callback_blocked")]
    assert ["169.254.169.254" in note for note in notes] == [True, False]
    assert "127.0.0.1" in notes[1], "another reason is written down, the same one is not written again"
    assert "127.0.0.1" in office.outbox()[0].error


def test_a_host_that_was_taken_from_the_list_is_called_no_more(office: Office) -> None:
    """Trap T47: allowed when it was asked for, and not any more when it is sent."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.216.34"]

    office.decide(office.asked(ELSEWHERE))
    office.send(office.deliver(["other.example.com"], resolve))
    assert asked == []
    assert "[callbacks] allow" in office.outbox()[0].error


def test_after_a_day_it_is_set_aside_and_a_person_can_send_it_anew(
    office: Office, receiver: Receiver
) -> None:
    office.decide(office.asked(receiver.url))
    dead = count("dead")
    receiver.answers.extend([500] * TRIES_MAX)
    began = office.now()
    office.send_for_a_day()
    assert office.now() - began <= DAY
    (row,) = office.outbox()
    assert (row.state, row.tries) == ("dead", TRIES_MAX)
    assert count("dead") == dead + 1
    office.later(days=7)
    assert office.send() == []
    with office.store.transaction() as session:
        assert list(outbox.dead(session)) == [row.id]
        again = outbox.redeliver(session, row.id, office.now())
        assert again is not None
        assert outbox.redeliver(session, "msg_none", office.now()) is None
    office.send()
    assert receiver.calls[-1].headers["webhook-id"] == row.id
    assert verified(receiver.calls[-1], office.secrets()[0])
    assert office.outbox()[0].state == "delivered"


def test_what_a_crash_interrupts_is_sent_again_under_the_same_id(office: Office, receiver: Receiver) -> None:
    office.decide(office.asked(receiver.url))
    with office.store.transaction() as session:
        taken = outbox.take(session, f"127.0.0.1:{receiver.port}", office.now())
    assert taken is not None
    assert office.send() == [], "another daemon leaves it alone while the try may last"
    office.later(seconds=outbox.LEASE.total_seconds())
    office.send()
    assert [call.headers["webhook-id"] for call in receiver.calls] == [taken.id]


def test_a_late_answer_of_an_earlier_try_changes_nothing(office: Office, receiver: Receiver) -> None:
    office.decide(office.asked(receiver.url))
    to = f"127.0.0.1:{receiver.port}"
    with office.store.transaction() as session:
        early = outbox.take(session, to, office.now())
    office.later(seconds=outbox.LEASE.total_seconds())
    with office.store.transaction() as session:
        late = outbox.take(session, to, office.now())
    assert early is not None
    assert late is not None
    with office.store.transaction() as session:
        outbox.failed(session, early, "too late", None)
    assert office.outbox()[0].state == "waiting"
    with office.store.transaction() as session:
        outbox.delivered(session, late, office.now())
    assert office.outbox()[0].state == "delivered"


def test_nobody_may_ask_to_be_called_at_an_address_that_is_not_allowed(office: Office) -> None:
    """Trap T47: refused when it is asked for, so that nothing stands that can never be told."""
    for url in (
        "https://evil.example/hook", "http://169.254.169.254/latest", "https://user:word@api.example.com/hook",
    ):  # fmt: skip
        with pytest.raises(Refusal) as refused:
            office.asked(url)
        assert refused.value.code == "bad_details"
    assert office.outbox() == []

"""Whose endpoint a path is, which secrets open it, and under which account an event lands."""

from typing import Any

import msgspec
import pytest

from accounts.facts import Subject
from accounts.registry import Registry
from accounts.sandbox import objects
from accounts.secret import Secret
from accounts.stripe.signatures import sign
from metrics.catalog import events_unused, webhook_rejected
from tests.receive.places import account, platform
from tests.receive.rig import NOW, Rig, code, counted, event


def landed(rig: Rig) -> tuple[str, bool]:
    """Under which account the one event is kept, and whether as foreign."""
    (row,) = rig.inbox().values()
    return row.account, row.is_foreign


def header(body: bytes, *secrets: str) -> str:
    """As Stripe signs while a secret is being rolled: once with each."""
    at = int(NOW.timestamp())
    return ",".join((f"t={at}", *(sign(body, Secret(each), at).partition(",")[2] for each in secrets)))


@pytest.mark.parametrize("path", ["eu", "acct_eu"])
def test_a_path_ends_in_the_slug_or_in_stripes_id(rig: Rig, path: str) -> None:
    assert rig.post(event(), path).status_code == 200
    assert landed(rig) == ("eu", False)


@pytest.mark.parametrize(
    "signed_with", [("whsec_NEW", "whsec_EU"), ("whsec_EU", "whsec_NEW"), ("whsec_EU_OLD",)]
)
def test_while_a_secret_is_rolled_any_signature_and_any_secret_will_do(
    rig_anywhere: Rig, signed_with: tuple[str, ...]
) -> None:
    """Trap A10: old and new signatures in either order, old and new secrets in either order."""
    rig = rig_anywhere
    body = msgspec.json.encode(event())
    assert rig.post(body, signature=header(body, *signed_with)).status_code == 200
    refused = rig.post(body, signature=header(body, "whsec_X", "whsec_Y"))
    assert (refused.status_code, code(refused)) == (400, "bad_signature")


def test_an_account_without_a_secret_refuses_everything(rig: Rig) -> None:
    """Trap A11: no secret is not the empty secret."""
    for secret in ("", " ", "whsec_EU"):
        with counted(webhook_rejected, reason="no_secret") as grown:
            response = rig.post(event(), "mute", secret=secret)
        assert (response.status_code, code(response)) == (400, "bad_signature")
        assert grown == [1]
    assert rig.inbox() == {}


def test_a_secret_that_cannot_be_read_takes_no_other_with_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap A11: a secret that is missing, beside one that is there."""
    monkeypatch.delenv("EU_OLD")
    monkeypatch.setenv("US", "   ")
    rig.receiver.reload(Registry((account("eu", "EU_OLD", "EU"), account("us", "US")), ()))
    assert rig.post(event()).status_code == 200
    assert code(rig.post(event("evt_2"), "us", secret="   ")) == "bad_signature"
    assert set(rig.inbox()) == {"evt_1"}


def test_secrets_and_accounts_are_read_anew_without_a_restart(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EU", "whsec_ROLLED")
    assert rig.post(event(), secret="whsec_ROLLED").status_code == 400
    rig.receiver.reload(Registry((account("eu", "EU"), account("new", "US")), ()))
    assert rig.post(event(), secret="whsec_ROLLED").status_code == 200
    assert rig.post(event("evt_2")).status_code == 400
    assert rig.post(event("evt_3"), "new", secret="whsec_US").status_code == 200
    assert rig.post(event("evt_4"), "us", secret="whsec_US").status_code == 404
    assert set(rig.inbox()) == {"evt_1", "evt_3"}


def test_an_event_signed_for_one_account_is_refused_at_another(rig_anywhere: Rig) -> None:
    """Trap A13: the secret of one account opens no other."""
    rig = rig_anywhere
    with counted(webhook_rejected, reason="forged") as grown:
        response = rig.post(event(), "us", secret="whsec_EU")
    assert (response.status_code, code(response)) == (400, "bad_signature")
    assert grown == [1]
    assert rig.inbox() == {}


@pytest.mark.parametrize(
    "names", [{"account": "acct_us"}, {"account": "acct_unknown"}, {"context": "acct_us"}]
)
def test_an_event_of_another_account_is_kept_as_foreign(rig_anywhere: Rig, names: dict[str, Any]) -> None:
    """Traps A12 and A13: kept, answered, and never a write across accounts."""
    rig = rig_anywhere
    with counted(events_unused, reason="foreign_account") as grown:
        response = rig.post(event(**names))
    assert (response.status_code, response.json()["received"]) == (200, True)
    assert grown == [1]
    assert landed(rig) == ("eu", True)
    assert rig.marks() == {}


def test_an_event_of_the_other_mode_is_kept_as_foreign(rig_anywhere: Rig) -> None:
    """Trap A12: a test event at a live account."""
    rig = rig_anywhere
    with counted(events_unused, reason="foreign_mode") as grown:
        assert rig.post(event(livemode=False)).status_code == 200
    assert grown == [1]
    assert landed(rig) == ("eu", True)
    assert rig.marks() == {}


@pytest.mark.parametrize(
    "names", [{"account": "acct_eu"}, {"context": "acct_eu"}, {"context": "org_1/acct_eu"}]
)
def test_an_event_may_name_its_own_account(rig: Rig, names: dict[str, Any]) -> None:
    assert rig.post(event(**names)).status_code == 200
    assert landed(rig) == ("eu", False)


@pytest.mark.parametrize("path", ["acme", "acct_acme"])
@pytest.mark.parametrize("thin", [False, True])
def test_a_platforms_event_lands_under_the_account_that_it_names(
    rig_anywhere: Rig, path: str, *, thin: bool
) -> None:
    """Trap A13: under that account, and under no other."""
    rig = rig_anywhere
    made = event(account="acct_jp")
    body = objects.notification(objects.thin_event(made)) if thin else made
    assert rig.post(body, path, secret="whsec_PLATFORM").status_code == 200
    assert landed(rig) == ("jp", False)
    assert Subject("jp", "invoice", "in_1") in rig.marks()
    assert {subject.account for subject in rig.marks()} == {"jp"}
    assert rig.wait_for_wakes(1) == ["jp"]


@pytest.mark.parametrize(
    "names", [{}, {"account": "acct_unknown"}, {"account": "acct_eu"}, {"account": "acct_acme"}]
)
def test_a_platforms_event_of_no_connected_account_of_ours_is_foreign(
    rig: Rig, names: dict[str, Any]
) -> None:
    """Trap A12: `eu` is configured, but with keys of its own; this platform speaks only for those that name it."""
    with counted(events_unused, reason="foreign_account") as grown:
        assert rig.post(event(**names), "acme", secret="whsec_PLATFORM").status_code == 200
    assert grown == [1]
    assert landed(rig) == ("acme", True)
    assert rig.marks() == {}


def test_a_connected_accounts_test_event_at_a_live_platform_is_foreign(rig: Rig) -> None:
    """Trap A12: a test event of a connected account."""
    with counted(events_unused, reason="foreign_mode") as grown:
        rig.post(event(account="acct_jp", livemode=False), "acme", secret="whsec_PLATFORM")
    assert grown == [1]
    assert landed(rig) == ("jp", True)
    assert rig.marks() == {}


def test_an_account_of_a_platform_may_have_an_endpoint_of_its_own(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JP", "whsec_JP")
    rig.receiver.reload(Registry((account("jp", "JP", platform="acme"),), (platform("acme", "PLATFORM"),)))
    answers = [
        rig.post(event(), "jp", secret="whsec_JP"),
        rig.post(event(account="acct_jp"), "acme", secret="whsec_PLATFORM"),
    ]
    assert [answer.json()["duplicate"] for answer in answers] == [False, True]
    assert landed(rig) == ("jp", False)


def test_one_object_id_in_two_accounts_is_two_objects(rig_anywhere: Rig) -> None:
    """Trap A14: ids are unique within an account, and only there."""
    rig = rig_anywhere
    rig.post(event())
    rig.post(event("evt_2"), "us", secret="whsec_US")
    assert {subject.account for subject in rig.marks() if subject.id == "in_1"} == {"eu", "us"}

"""Webhook signatures: which are accepted, which are not and why, and that the SDK agrees."""

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from accounts.secret import Secret
from accounts.stripe.signatures import SIGNATURES_MAX, Verdict, sign, verify

NOW = 1_800_000_000
OLD, NEW, OTHERS = Secret("whsec_old"), Secret("whsec_new"), Secret("whsec_of_another_endpoint")
BODY = '{"id": "evt_1", "name": "Zoë"}'.encode()


def v1(secret: Secret, at: int = NOW, body: bytes = BODY) -> str:
    return sign(body, secret, at).partition(",")[2]


def test_a_genuine_signature_is_valid() -> None:
    assert verify(BODY, sign(BODY, NEW, NOW), [NEW], NOW) is Verdict.VALID


@pytest.mark.parametrize("secrets", [[OLD, NEW], [NEW, OLD], [OTHERS, NEW]])
def test_any_signature_may_fit_any_of_our_secrets(secrets: list[Secret]) -> None:
    for order in ([OLD, NEW], [NEW, OLD]):
        header = f"t={NOW}," + ",".join(v1(each) for each in order)
        assert verify(BODY, header, secrets, NOW) is Verdict.VALID


def test_a_header_may_hold_other_schemes_and_spaces() -> None:
    header = f"v0={'0' * 64}, t={NOW} , {v1(NEW)},v2=something"
    assert verify(BODY, header, [NEW], NOW) is Verdict.VALID


def test_another_endpoints_signature_is_forged() -> None:
    assert verify(BODY, sign(BODY, OTHERS, NOW), [OLD, NEW], NOW) is Verdict.FORGED


def test_one_changed_byte_is_forged() -> None:
    assert verify(BODY + b" ", sign(BODY, NEW, NOW), [NEW], NOW) is Verdict.FORGED
    header = sign(BODY, NEW, NOW).replace(f"t={NOW}", f"t={NOW + 1}")
    assert verify(BODY, header, [NEW], NOW) is Verdict.FORGED


@pytest.mark.parametrize(
    ("age_s", "verdict"),
    [
        (300, Verdict.VALID),
        (301, Verdict.STALE),
        (-300, Verdict.VALID),
        (-301, Verdict.FUTURE),
    ],
)
def test_five_minutes_either_way_are_tolerated_and_no_more(age_s: int, verdict: Verdict) -> None:
    assert verify(BODY, sign(BODY, NEW, NOW - age_s), [NEW], NOW) is verdict


def test_a_forged_header_is_forged_also_when_it_is_old() -> None:
    assert verify(BODY, sign(BODY, OTHERS, NOW - 9999), [NEW], NOW) is Verdict.FORGED


@pytest.mark.parametrize("secrets", [[], [Secret("")], [Secret(" "), Secret("\n")]])
def test_without_a_usable_secret_nothing_is_accepted(secrets: list[Secret]) -> None:
    signed_with_nothing = sign(BODY, secrets[0] if secrets else Secret(""), NOW)
    assert verify(BODY, signed_with_nothing, secrets, NOW) is Verdict.NO_SECRET


@pytest.mark.parametrize("header", [None, ""])
def test_a_missing_header_is_named_as_missing(header: str | None) -> None:
    assert verify(BODY, header, [NEW], NOW) is Verdict.NO_HEADER


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        f"t={NOW}",
        v1(NEW),
        f"t=,{v1(NEW)}",
        f"t=-5,{v1(NEW)}",
        f"t=٣,{v1(NEW)}",
        f"t={'9' * 40},{v1(NEW)}",
        f"t={NOW},v1=zz",
        f"t={NOW},v1={'é' * 64}",
        f"t={NOW}," + ",".join([v1(NEW)] * (SIGNATURES_MAX + 1)),
    ],
)
def test_a_header_that_cannot_be_read_is_malformed(header: str) -> None:
    assert verify(BODY, header, [NEW], NOW) is Verdict.MALFORMED


@given(st.text())
def test_no_header_whatever_is_valid_or_raises(header: str) -> None:
    assert verify(BODY, header, [NEW], NOW) is not Verdict.VALID


def test_a_body_that_is_not_text_can_be_signed_and_verified() -> None:
    body = b"\xff\xfe\x00"
    assert verify(body, sign(body, NEW, NOW), [NEW], NOW) is Verdict.VALID


def test_the_sdk_accepts_what_we_sign() -> None:
    verified = stripe.WebhookSignature.verify_header(BODY.decode(), sign(BODY, NEW, NOW), NEW.reveal())
    assert verified is True


def test_we_accept_what_the_sdk_signs() -> None:
    header = stripe.WebhookSignature.generate_signature_header(BODY.decode(), NEW.reveal(), timestamp=NOW)
    assert verify(BODY, header, [OLD, NEW], NOW) is Verdict.VALID


def test_the_sdk_refuses_what_we_refuse() -> None:
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(BODY.decode(), sign(BODY, OTHERS, NOW), NEW.reveal())

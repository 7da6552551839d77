"""A secret is read from where it is, and comes out nowhere else."""

import copy
import io
import json
import logging
import pickle
import sys
import traceback
from pathlib import Path

import msgspec
import pytest
import structlog

from accounts.configuration import SecretRef, SecretUnreadable
from accounts.errors import Forbidden
from accounts.secret import Secret, redact
from daemon import logs

VALUE = "rk_live_51NeverShownAnywhere"


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    logs.configure("json", stream)
    return stream


@pytest.mark.parametrize("form", ["{}", "Bearer {}"])
def test_a_secret_is_read_from_the_environment_a_file_or_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("THE_KEY", VALUE)
    (tmp_path / "key").write_text(f"{VALUE}\n")
    ways: list[dict[str, object]] = [
        {"env": "THE_KEY"},
        {"file": "key"},
        {"command": [sys.executable, "-c", f"print('{VALUE}')"]},
    ]
    for way in ways:
        reference = SecretRef.model_validate(way | {"format": form}, context={"base": tmp_path})
        assert reference.read().reveal() == form.format(VALUE)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ({"env": "NOT_SET_ANYWHERE"}, "is not set"),
        ({"file": "missing"}, "cannot be read"),
        ({"file": "."}, "cannot be read"),
        ({"file": "empty"}, "is empty"),
        ({"file": "latin"}, "is not UTF-8 text"),
        ({"file": "words"}, "a secret is one word"),
        ({"file": "large"}, "is larger than"),
        ({"command": [sys.executable, "-c", f"print('{VALUE}'); exit(3)"]}, "ended with exit code 3"),
        ({"command": ["no-such-program-here"]}, "cannot be started"),
    ],
)
def test_a_secret_that_cannot_be_read_is_a_sentence_that_names_the_place(
    tmp_path: Path, way: dict[str, object], reason: str
) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "latin").write_bytes(b"rk_live_\xe9\xe9\xe9")
    (tmp_path / "words").write_text(f"{VALUE} {VALUE}")
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    with pytest.raises(SecretUnreadable, match=reason) as caught:
        SecretRef.model_validate(way, context={"base": tmp_path}).read()
    assert VALUE not in str(caught.value)


def test_a_secret_cannot_be_printed_copied_or_encoded() -> None:
    secret = Secret(VALUE)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", repr({"key": secret}), repr([secret])]
    shown.append(repr(SecretRef(env="X")) + str(SecretRef(file=Path("x"))))
    assert not [text for text in shown if "NeverShown" in text]
    for encode in (json.dumps, pickle.dumps, msgspec.json.encode, copy.copy):
        with pytest.raises(TypeError):
            encode(secret)
    assert secret == Secret(VALUE) != Secret("other")


def test_a_traceback_with_secrets_in_reach_does_not_show_them() -> None:
    def sign_in(key: Secret) -> None:
        raise RuntimeError(f"could not sign in with {key}")

    try:
        sign_in(Secret(VALUE))
    except RuntimeError as error:
        whole = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert "could not sign in with Secret(…)" in whole
        assert "key = Secret(…)" in whole
        assert "NeverShown" not in whole.replace("Secret(VALUE)", "").replace(f"VALUE = '{VALUE}'", "")


@pytest.mark.parametrize(
    "text",
    [
        f"The provided key '{VALUE}' does not have the required permissions",
        "key rk_live_*********************7Xyz masked by Stripe",
        "sk_live_51abcdefghijk and whsec_abcdefgh/+=",
        "Authorization: Bearer abc.def-ghi_jkl",
        "Authorization: Basic cmtfbGl2ZV81MU5ldmVy",
        "postgresql://me:hunter22secret@db.example.com/reconciled",
        "rcl_agent_token0000 cq_live_connection0000",
    ],
)
def test_text_that_holds_a_credential_loses_it(text: str, lines: io.StringIO) -> None:
    parts = (
        "NeverShown",
        "7Xyz",
        "51abc",
        "abcdefgh",
        "abc.def",
        "cmtfb",
        "hunter22",
        "agent_token",
        "connection0",
    )
    structlog.get_logger().info("said", detail=text, nested={"deep": [text, {"deeper": text}]})
    logging.getLogger("some.library").warning("said %s", text)
    try:
        raise Forbidden(text, account="acme")
    except Forbidden as error:
        structlog.get_logger().exception("failed", why=error)
    everything = lines.getvalue() + redact(text) + str(Forbidden(text))
    assert not [part for part in parts if part in everything]


def test_a_log_line_never_holds_what_stands_under_a_secrets_name(lines: io.StringIO) -> None:
    structlog.get_logger().info(
        "asked", Authorization="opaque-value", headers={"Stripe-Signature": "t=1,v1=opaque-value"}
    )
    structlog.get_logger().info(
        "held", secret=Secret("opaque-value"), password="opaque-value", keys=[Secret("opaque-value")]
    )
    assert "opaque-value" not in lines.getvalue()
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["asked", "held"]


def test_a_log_line_says_what_happened_when_and_to_whom(lines: io.StringIO) -> None:
    structlog.get_logger("daemon.loop").info("case_opened", account="acme-eu", amount=17450)
    [line] = map(json.loads, lines.getvalue().splitlines())
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "case_opened",
        "account": "acme-eu",
        "amount": 17450,
        "level": "info",
        "logger": "daemon.loop",
    }

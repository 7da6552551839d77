"""Canonical JSON: one text for one value, on every machine and in every later version."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.canonical import DEPTH_MAX, GENESIS, WHOLE_MAX, Json, NotCanonical, canonical, chain, digest

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-WHOLE_MAX, WHOLE_MAX) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, False, None]}, '{"a":[true,false,null],"b":1}'),
        ({"amount": -1250, "currency": "eur"}, '{"amount":-1250,"currency":"eur"}'),
        ("€ / é \x7f", '"€ / é \x7f"'),
        ('"\\\b\f\n\r\t\x00\x1f', '"\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f"'),
        ((1, ("a",)), '[1,["a"]]'),
        ({}, "{}"),
        ([], "[]"),
        # In UTF-16 a character beyond the basic plane sorts before U+FF5E, in code points after it.
        ({"\uff5e": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\uff5e":1}'),
    ],
)
def test_a_value_has_this_text(value: Json, text: str) -> None:
    assert canonical(value).decode() == text


@given(VALUES)
def test_a_value_survives_its_text_and_its_copies_have_the_same(value: Json) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@given(st.dictionaries(TEXT, st.integers(0, 9), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (1.0, r"\$ is a float"),
        ({"rate": float("nan")}, r"\$\.rate is a float"),
        ([[1, {"at": object()}]], r"\$\[0\]\[1\]\.at is a object"),
        (b"bytes", "is a bytes"),
        ({1: "a"}, "a key that is not text"),
        ({"big": WHOLE_MAX + 1}, "beyond 2"),
        (-WHOLE_MAX - 1, "beyond 2"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
    ],
)
def test_what_has_no_one_text_is_refused_by_its_place(value: Json, sentence: str) -> None:
    with pytest.raises(NotCanonical, match=sentence):
        canonical(value)


def test_what_is_nested_too_deep_is_refused() -> None:
    value: Json = 1
    for _ in range(DEPTH_MAX):
        value = [value]
    assert canonical(value).startswith(b"[[")
    with pytest.raises(NotCanonical, match="deeper than"):
        canonical([value])


def test_hashes_are_those_of_the_text() -> None:
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').digest()
    assert chain(GENESIS, b"first") == hashlib.sha256(bytes(32) + b"first").digest()
    assert chain(chain(GENESIS, b"a"), b"b") != chain(chain(GENESIS, b"b"), b"a")

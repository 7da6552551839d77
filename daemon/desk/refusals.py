"""What the desk answers instead of doing it: a stable word, an HTTP status, and a sentence that says what to do."""

from collections.abc import Mapping
from typing import Final, Literal

from daemon.core.approval.objection import Objection
from daemon.core.canonical import Json

Code = Literal[
    "role", "self_approval", "limit",
    "unknown_case",
    "already_decided", "stale_version", "stale_state", "expired", "moot", "mode", "executing", "not_verified",
    "bad_details", "idempotency_key_reused",
    "too_many_open",
    "unreadable",
    "bad_name", "bad_role", "bad_limit", "bad_policy", "bad_account",
    "unknown_person", "unknown_policy", "unknown_change", "unknown_token", "unknown_link",
    "unknown_account", "unknown_source",
    "name_taken", "nothing_to_do", "disabled",
]  # fmt: skip

STATUS: Final[Mapping[Code, int]] = {
    "role": 403, "self_approval": 403, "limit": 403,
    "unknown_case": 404,
    "already_decided": 409, "stale_version": 409, "stale_state": 409, "expired": 409, "moot": 409, "mode": 409,
    "executing": 409, "not_verified": 409,
    "bad_details": 422, "idempotency_key_reused": 422,
    "too_many_open": 429,
    "unreadable": 503,
    "bad_name": 422, "bad_role": 422, "bad_limit": 422, "bad_policy": 422, "bad_account": 422,
    "unknown_person": 404, "unknown_policy": 404, "unknown_change": 404, "unknown_token": 404, "unknown_link": 404,
    "unknown_account": 404, "unknown_source": 404,
    "name_taken": 409, "nothing_to_do": 409, "disabled": 409,
}  # fmt: skip


class Refusal(Exception):
    """It was not done, and nothing was written. `extra` is what a program needs to go on: a difference, a version."""

    def __init__(self, code: Code, sentence: str, **extra: Json) -> None:
        super().__init__(sentence)
        self.code = code
        self.status = STATUS[code]
        self.sentence = sentence
        self.extra = extra


def refused(objection: Objection) -> Refusal:
    return Refusal(objection.code, objection.sentence)


def unknown_case() -> Refusal:
    """Also for a case of an account that one may not see: whether it exists is none of their business."""
    return Refusal("unknown_case", "There is no such case, or not for you.")

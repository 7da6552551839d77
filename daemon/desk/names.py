"""Names of people and tokens: what one may be, and that it means one of them for ever, since the journal uses it."""

import re
from collections.abc import Collection
from typing import Final

from sqlmodel import Session

from daemon.desk.refusals import Refusal
from daemon.store import people, tokens

NAME: Final = re.compile(r"\w(?:[\w .,@+'’-]{0,62}[\w.])?")
# Who else acts in the journal: nobody may pass for one of these.
RESERVED: Final = frozenset(
    {"owner", "configuration", "daemon", "loop", "act", "desk", "poll", "sweep", "policy", "deliver", "reconciled",
     "expiry", "executor", "recovery", "automatic"}
)  # fmt: skip


def free_name(session: Session, name: str) -> None:
    """Raises Refusal unless a new person or token may be called this."""
    if NAME.fullmatch(name) is None or name.casefold() in RESERVED:
        raise Refusal(
            "bad_name",
            "A name has 1 to 64 letters, digits, spaces or . , @ + ' - and is none that we use ourselves.",
        )  # fmt: skip
    if people.named(session, name) is not None or tokens.ever_named(session, name):
        raise Refusal(
            "name_taken",
            f"“{name}” is or was somebody else's name, and the journal must mean one. Choose another.",
        )  # fmt: skip


def known_accounts(named: Collection[str], known: Collection[str]) -> frozenset[str] | None:
    """The scope that these accounts make: none named, all. Raises Refusal for one that is not configured."""
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise Refusal(
            "bad_account",
            f"There is no account {unknown[0][:60]}; the configuration has: {', '.join(sorted(known)) or 'none'}.",
        )  # fmt: skip
    return frozenset(named) or None

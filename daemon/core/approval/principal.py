"""Who asks: a person or a program, with what it may do and on which accounts, as it stands at this moment."""

from dataclasses import dataclass
from typing import Final, Literal

from accounts.money import Money

Role = Literal["viewer", "analyst", "approver", "disputes", "admin", "auditor", "agent", "owner"]
Way = Literal["token", "session", "machine"]  # machine: on the installation's own computer, past every login

OWNER_ID: Final = "owner"


@dataclass(frozen=True, slots=True)
class Principal:
    """Made anew for every request from what the database says, so that what was taken away is away at once."""

    id: str  # of the person, else of the token
    name: str
    role: Role
    person: str | None = None  # whose vote it would be; None: it can never vote
    accounts: frozenset[str] | None = None  # slugs; None: all
    limits: tuple[
        Money, ...
    ] = ()  # the most that one vote may reach, per currency; none: no limit of its own
    way: Way = "token"
    token_id: str | None = None
    owner_person: str | None = (
        None  # of an agent's token: who made it, and so may not vote on what it asks for
    )
    stepped_up: bool = False  # signed in anew just now, with a second factor

    def sees(self, account: str) -> bool:
        return self.accounts is None or account in self.accounts


OWNER: Final = Principal(id=OWNER_ID, name=OWNER_ID, role="owner", way="machine")

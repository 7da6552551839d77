"""What every action is: how it reads what is asked for, sees the world, does it once, and tells whether it was done.

An action never decides whether it may happen; the desk and the executor do. It knows one thing that can be done to the
world, and everything about that: which details it takes, what a reviewer's approval depends on, and what a lost answer
means.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Literal, Protocol

from accounts.crm import Crm
from accounts.entitlements import Entitlements
from accounts.facts import Address, Entitlement, Subject
from accounts.money import Money
from accounts.stripe.reads import Reader
from accounts.stripe.writes import Writer
from daemon.core.canonical import Json
from daemon.core.model import Template

Where = Literal["stripe", "crm", "entitlements", "message", "nowhere"]


class BadDetails(ValueError):
    """What is asked for cannot be meant so. A sentence that names the field and what it should be."""


@dataclass(frozen=True, slots=True)
class Place:
    """The account that it is about, and whose matter it is as far as the case says so."""

    account: str  # the slug
    stripe_account: str
    livemode: bool
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, read from its details once and never changed."""

    details: Mapping[str, Json]  # as the surface names them, checked and complete; nothing personal in them
    target: Address  # what it is done to
    money: Money | None = None  # what it moves
    personal: Mapping[str, Json] = field(default_factory=dict)  # the rest of the details: kept encrypted


@dataclass(frozen=True, slots=True)
class Seen:
    """The world as an approval depends on it, read live."""

    target: Address  # a payment intent is resolved to its charge here, so that one object has one name
    material: Mapping[str, Json]  # a change of any of it sends the proposal back
    customer: str | None = None  # whose it is, where Stripe says so
    objects: Mapping[str, Any] = field(default_factory=dict)  # what was read, for preflight and verify
    completed: Asked | None = None  # what was asked for with what only the world knew; None: nothing was open
    personal: Mapping[str, Json] = field(default_factory=dict)  # for the reviewer's eyes: kept encrypted


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known of a call that may have been made."""

    tag: str  # in the metadata of whatever it made: the proposal's id
    sent_at: datetime
    request: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Done:
    """It happened: now, or when the same key was first used."""

    object_id: str
    status: str | None = None
    request_id: str | None = None
    replayed: bool = False
    came_to_nothing: bool = False  # it was done, and undone by itself: a refund that failed


class Trace(Enum):
    """What a look for the effect found, where it did not find the effect itself."""

    ABSENT = "absent"  # it did not happen, and would have been seen
    UNSURE = "unsure"  # nobody can tell from here; a person looks


@dataclass(frozen=True, slots=True)
class Hands:
    """What an action may touch. Writers are there only in the executor."""

    reader: Reader
    now: datetime
    writer: Writer | None = None
    crm: Crm | None = None
    entitlements: Entitlements | None = None
    mail: "Mail | None" = None
    templates: Mapping[str, Template] = field(default_factory=dict)  # the policy's approved wording
    given: Callable[[str], Sequence[Entitlement]] | None = None  # what a customer was last read to have


class Mail(Protocol):
    """Sends one message to one address or several. Raises Refused or Uncertain."""

    @property
    def finance(self) -> Sequence[str]:
        """Where the finance team reads its mail."""

    def send(self, to: Sequence[str], subject: str, body: str, *, key: str) -> str:
        """The message's id."""


class Action(Protocol):
    """One thing that can be done to the world. One file each, one line in ACTIONS."""

    @property
    def name(self) -> str: ...

    @property
    def where(self) -> Where: ...

    @property
    def repeatable(self) -> bool:
        """Whether the same key and parameters may be sent again without a second effect."""

    @property
    def verifiable(self) -> bool:
        """Whether a look can tell that it happened; where it never can, a person's word ends what is unknown."""

    @property
    def caller_only(self) -> bool:
        """Whether it is never executed by us."""

    def read(self, details: Mapping[str, Json], place: Place) -> Asked:
        """What is asked for. Raises BadDetails."""

    def see(self, hands: Hands, asked: Asked) -> Seen:
        """Reads what the approval depends on. Raises ObservationError; BadDetails where the target does not exist."""

    def describe(self, asked: Asked, place: Place) -> str:
        """The sentence on the button: “Refund €174.50 on acme-eu (live)”."""

    def preflight(self, asked: Asked, seen: Seen, now: datetime) -> str | None:
        """Why it cannot be done as the world is now, as a sentence; None where it can."""

    def request(self, asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
        """The exact parameters, as they are persisted before the call; nothing personal in them."""

    def execute(self, hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
        """Does it, once. Raises Refused where nothing was done, Uncertain where nobody knows."""

    def verify(self, hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
        """Looks for the effect of a call whose answer was lost. Raises ObservationError."""

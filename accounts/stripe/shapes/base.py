"""What all shapes are made of: bounded numbers and texts, references that may come expanded, hashed personal detail.

A shape names only what may be stored. What it does not name is skipped by the decoder and never becomes an
object: no name, e-mail, address, card number's tail, evidence text, client secret or link that opens by itself.
Where such a value must still be *compared*, its type here is decoded to a keyed hash at once.
Required is only what no judgement can do without: an object that lacks anything else is still understood.
"""

import hmac
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from msgspec import Meta, Struct
from msgspec.json import encode
from msgspec.structs import force_setattr

Item = TypeVar("Item")

# Bounds: what fits a 64-bit column and a datetime, so that a hostile number fails here and not later.
Minor = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Unix = Annotated[int, Meta(ge=0, le=253_402_300_799)]  # seconds, until the end of the year 9999
Id = Annotated[str, Meta(min_length=1, max_length=255)]
Code = Annotated[str, Meta(max_length=255)]  # an open enum: new values appear inside one API version
Text = Annotated[str, Meta(max_length=5_000)]  # written by people: escaped where shown, believed nowhere

DECIMAL_DIGITS_MAX = 20  # a price beyond that many digits before or after the point is no price
METADATA_KEYS_MAX, METADATA_VALUE_MAX = 50, 500  # Stripe's own limits


class Expanded(Struct, frozen=True, gc=False):
    """An object that came in full where its id is all we keep."""

    id: Id


# A reference is an id or, where somebody asked for expansion, the whole object; after decoding always the id.
if TYPE_CHECKING:
    Ref = str
else:
    Ref = Id | Expanded


class Part(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A nested object, reduced to what may be stored.

    `__post_init__`, here and in what is made of this, is the one place where older shapes become today's.
    Fields that only older versions send are marked so, and are None or empty afterwards.
    """

    refs: ClassVar[tuple[str, ...]] = ()  # the fields of type Ref

    def __post_init__(self) -> None:
        for name in self.refs:
            value = getattr(self, name)
            if type(value) is Expanded:
                force_setattr(self, name, value.id)


class Shape(Part, frozen=True, kw_only=True, tag_field="object"):
    """One of Stripe's objects with an id and a type of its own, in the shape of today's API version."""


class Embedded(Struct, Generic[Item], frozen=True, gc=False, omit_defaults=True):
    """A list inside an object. Stripe cuts it off; `has_more` says that the rest must be read by itself."""

    data: tuple[Item, ...] = ()
    has_more: bool = False


class EmailHash(str):
    """An e-mail address as a keyed hash: two can be compared, none can be read."""

    __slots__ = ()


class EvidenceHash(str):
    """All evidence of a dispute as one keyed hash: it tells that something was edited, not what."""

    __slots__ = ()


class Metadata(dict[str, str]):
    """The few metadata keys that the configuration names; anything else may be personal and is dropped."""


def hash_email(key: bytes, address: str) -> EmailHash:
    """The same for one mailbox in every account, as long as the key stays; empty where no address is given."""
    mailbox = address.strip().lower()
    return EmailHash(hmac.digest(key, mailbox.encode(), "sha256").hex() if mailbox else "")


def hash_evidence(key: bytes, evidence: Mapping[str, Any]) -> EvidenceHash:
    """Empty where nothing is staged, whichever empty fields an API version happens to list."""
    staged = _without_empty(evidence)
    if not staged:
        return EvidenceHash("")
    return EvidenceHash(hmac.digest(key, encode(staged, order="sorted"), "sha256").hex())


def finite(number: Decimal | None) -> Decimal | None:
    """Raises ValueError for what arithmetic with money cannot bear."""
    if number is not None and not (number.is_finite() and abs(number.adjusted()) <= DECIMAL_DIGITS_MAX):
        raise ValueError("a price or percentage is not a finite number of sensible size")
    return number


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: kept for name, part in value.items() if (kept := _without_empty(part))}
    if isinstance(value, list):
        return [kept for part in value if (kept := _without_empty(part))]
    return value

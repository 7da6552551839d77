"""From Stripe's JSON to shapes, and from shapes to stored bytes and back.

Here is what the shapes themselves must not hold: the key that hashes personal detail, and which metadata keys
may be kept.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from accounts.errors import Malformed
from accounts.stripe.shapes.base import (
    METADATA_KEYS_MAX,
    METADATA_VALUE_MAX,
    EmailHash,
    EvidenceHash,
    Id,
    Metadata,
    hash_email,
    hash_evidence,
)

S = TypeVar("S")

OUR_TAG = "reconciled_proposal"  # the metadata key by which we recognise what we did
REASON_MAX = 300  # characters of a decoder's complaint that are repeated


class Deleted(Struct, frozen=True):
    """Stripe says that this object existed and is deleted."""

    id: Id


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One object of a page that we do not understand. It is there, so it is not absent; the others are read."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listed(Generic[S]):
    """A list page, decoded."""

    items: list[S]
    unreadable: tuple[Unreadable, ...]
    has_more: bool
    last_id: str | None


class _Head(Struct):
    id: Id
    object: str | None = None
    deleted: bool = False


class _List(Struct, Generic[S]):
    data: list[S]
    has_more: bool


class Decoding:
    """Decodes for one installation: the same hash key and the same metadata keys for all its accounts."""

    def __init__(self, hash_key: bytes, metadata_keys: Iterable[str] = ()) -> None:
        self._hash_key = hash_key
        self._metadata_keys = frozenset(metadata_keys) | {OUR_TAG}
        self._lists: dict[Any, msgspec.json.Decoder[Any]] = {}
        self._ones: dict[Any, msgspec.json.Decoder[Any]] = {}

    def one(self, shape: type[S], body: bytes | Raw) -> S | Deleted:
        with understood(shape):
            # Few object types can be deleted, and a deleted one lacks nearly everything its shape requires.
            if b'"deleted"' in bytes(body):
                head = msgspec.json.decode(body, type=_Head)
                if head.deleted:
                    return Deleted(head.id)
            decoder = self._ones.get(shape)
            if decoder is None:
                decoder = self._ones[shape] = msgspec.json.Decoder(shape, dec_hook=self._kept)
            one: S = decoder.decode(body)
            return one

    def fields(self, names: Collection[str], body: bytes) -> dict[str, Any]:
        """These fields as they are, personal ones too, where the object has them."""
        with understood(dict):
            whole = msgspec.json.decode(body, type=dict[str, Any])
        return {name: whole[name] for name in names if name in whole}

    def page(self, shape: type[S], body: bytes) -> Listed[S]:
        decoder = self._lists.get(shape)
        if decoder is None:
            decoder = self._lists[shape] = msgspec.json.Decoder(_List[shape], dec_hook=self._kept)  # type: ignore[valid-type]
        try:
            with understood(shape):
                whole: _List[S] = decoder.decode(body)
        except Malformed:
            return self._page_one_by_one(shape, body)
        last: Any = whole.data[-1] if whole.data else None
        return Listed(whole.data, (), whole.has_more, last.id if last is not None else None)

    def _page_one_by_one(self, shape: type[S], body: bytes) -> Listed[S]:
        # One strange object must not hide the ninety-nine beside it.
        read: list[S] = []
        unreadable: list[Unreadable] = []
        last_id: str | None = None
        with understood(shape):
            whole = msgspec.json.decode(body, type=_List[Raw])
            heads = [msgspec.json.decode(raw, type=_Head) for raw in whole.data]
        for head, raw in zip(heads, whole.data, strict=True):
            last_id = head.id
            try:
                one = self.one(shape, raw)
            except Malformed as problem:
                unreadable.append(Unreadable(head.id, str(problem)))
            else:
                if not isinstance(one, Deleted):
                    read.append(one)
        return Listed(read, tuple(unreadable), whole.has_more, last_id)

    def _kept(self, kind: type, value: Any) -> Any:
        """Turns what is personal into what may be kept, before it reaches a shape."""
        if kind is Metadata and isinstance(value, dict):
            if not value:  # as mostly; a subscription comes by here three times
                return Metadata()
            kept = {
                name: text[:METADATA_VALUE_MAX]
                for name, text in value.items()
                if name in self._metadata_keys and isinstance(text, str)
            }
            return Metadata(list(kept.items())[:METADATA_KEYS_MAX])
        if kind is EmailHash and isinstance(value, str):
            return hash_email(self._hash_key, value)
        if kind is EvidenceHash and isinstance(value, dict):
            return hash_evidence(self._hash_key, value)
        raise TypeError(f"no {kind.__name__} can be made of this")


@contextmanager
def understood(shape: Any) -> Iterator[None]:
    """Whatever a decoder says of a body that is not what it should be becomes Malformed."""
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as problem:
        # Never the body: it may hold anything. A Unicode error would repeat it.
        told = "is not UTF-8" if isinstance(problem, UnicodeDecodeError) else str(problem)[:REASON_MAX]
        name = getattr(shape, "__name__", "object")
        raise Malformed(
            f"Stripe's answer is not a {name} as we know it ({told}). Nothing was concluded from it."
        ) from None


def stored(one: Struct) -> bytes:
    """A shape as bytes for a database: the same for equal values, without defaults."""
    return msgspec.json.encode(one, enc_hook=_plain)


def restored(shape: type[S], content: bytes) -> S:
    """The shape that `stored` made these bytes of."""
    decoder = _RESTORING.get(shape)
    if decoder is None:
        decoder = _RESTORING[shape] = msgspec.json.Decoder(shape, dec_hook=lambda kind, value: kind(value))
    one: S = decoder.decode(content)
    return one


_RESTORING: dict[Any, msgspec.json.Decoder[Any]] = {}


def _plain(value: Any) -> Any:
    if isinstance(value, EmailHash | EvidenceHash):
        return str(value)
    if isinstance(value, Metadata):
        return dict(sorted(value.items()))
    raise TypeError(f"a {type(value).__name__} is not stored")

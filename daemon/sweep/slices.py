"""Slices: parts of a list by when its objects were created, each with how far it has been read.

A slice begins with a fresh query for its window. From then on the cursor leads alone, past the window's end if need be:
Stripe answers an empty page to a cursor inside a window that is tight around it, and a second with ten thousand objects
is no window at all. A slice may be split at any page; its older half then becomes a slice of its own.
"""

from typing import Final

import msgspec
from msgspec.structs import replace

SPLIT_PAGES_MIN: Final = 4.0  # of what seems to be left: for less, one request more is not worth it


class Slice(msgspec.Struct, frozen=True, omit_defaults=True):
    """The objects created from `since` on and before `before`, newest first."""

    scope: str
    number: int
    since: int = 0
    before: int | None = None  # None: whatever is the newest
    after: str | None = None  # the object that was read last
    at: int | None = None  # when that one was created
    objects: int = 0
    done: bool = False

    @property
    def name(self) -> str:
        return f"{self.scope}/{self.number}"

    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def slice_of(text: str) -> Slice:
    """The slice that `text` came of."""
    return msgspec.json.decode(text, type=Slice)


def advanced(piece: Slice, *, last_id: str | None, oldest: int | None, has_more: bool, objects: int) -> Slice:
    """The slice after a page whose oldest object is so old."""
    at = piece.at if oldest is None else oldest
    beyond = oldest is not None and oldest < piece.since
    return replace(
        piece,
        after=last_id or piece.after,
        at=at,
        objects=piece.objects + objects,
        done=beyond or not has_more,
    )


def lost(piece: Slice) -> Slice:
    """The slice when its cursor's object is gone: a fresh query goes on at that second, some of which comes twice."""
    return replace(piece, after=None, before=piece.before if piece.at is None else piece.at + 1)


def split(piece: Slice, *, number: int, floor: int, span_s: int) -> tuple[Slice, Slice] | None:
    """The younger and the older half of what is left of a slice; None where that seems to be a few pages only.

    `floor` is when the first objects are believed to have been created, `span_s` how many seconds the last page
    covered: if objects came as densely before, that tells how many pages are left.
    """
    if piece.done or piece.at is None:
        return None
    oldest = max(piece.since, floor)
    left_s = piece.at - oldest
    if left_s < 2 or left_s / max(span_s, 1) < SPLIT_PAGES_MIN:
        return None
    middle = oldest + left_s // 2
    older = Slice(piece.scope, number, since=piece.since, before=middle)
    return replace(piece, since=middle), older

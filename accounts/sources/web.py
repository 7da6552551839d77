"""Rows over HTTP: page after page by cursor or by address, one row by key, and changes."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import httpx

from accounts.errors import Malformed, Refused, Unreachable
from accounts.sources import Page
from accounts.sources.addresses import Addresses
from accounts.sources.configuration import Http
from accounts.sources.json import at, encode, nested, parse
from accounts.sources.shape import Shape
from accounts.sources.values import shown, written
from accounts.sources.wire import Answer, Wire

PAGES_MAX = 100_000  # ten million rows at a hundred a page; beyond that the cursor runs in circles
CONDITIONAL_PAGES_MAX = 1_000  # whose keys are remembered, about a megabyte; what is beyond is read afresh

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A page as it was, for asking whether it still is."""

    validators: Mapping[str, str]
    keys: str  # one per line: a tenth of what a tuple of them would take
    following: str | None


class WebRows(Generic[Row]):
    """Shared by threads, but for passes: those are read one at a time."""

    def __init__(
        self,
        source: str,
        http: Http,
        fields: Mapping[str, str],
        shape: Shape[Row],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._source = source
        self._http = http
        self._fields = fields
        self._shape = shape
        self._addresses = Addresses(source, http, fields)
        self._wire = Wire(source, http, now=now, monotonic=monotonic, transport=transport)
        self._remembered: dict[str, _Remembered] = {}
        self._witnesses: dict[
            str, str | None
        ] = {}  # by list: a key that it has named, None where it was empty
        self.per_account = self._addresses.per_account

    def close(self) -> None:
        self._wire.close()

    def pages(self, stripe_account: str, *, afresh: bool = False, kept: bool = True) -> Iterator[Page[Row]]:
        """Every row there is. To ask for the next page is to say that this one is kept: only then is it asked
        for conditionally at the next pass. Who keeps nothing says so, and leaves the next pass as it was."""
        url: str | None = self._addresses.first(stripe_account)
        asked: set[int] = set()
        witness: str | None = None
        while url is not None:
            if hash(url) in asked or len(asked) >= PAGES_MAX:
                raise Malformed(
                    f"{self._source}: its pages run in circles (page {len(asked)} names one that was already read), "
                    "so there is no knowing whether all were seen. Correct next, or the paging there."
                )
            asked.add(hash(url))
            known = None if afresh else self._remembered.get(url)
            answer = self._wire.get(url, known.validators if known else None)
            if known is not None and answer.status == httpx.codes.NOT_MODIFIED:
                keys = tuple(known.keys.split("\n")) if known.keys else ()
                page: Page[Row] = Page(keys, (), answer.sent_at, unchanged=True)
                following = known.following
            else:
                page, following = self._page(answer, url, f"page {len(asked)}", stripe_account)
            witness = page.keys[-1] if page.keys else witness
            yield page
            if kept and not page.unchanged:
                self._remember(url, answer, page, following)
            url = following
        self._witnesses[self._list(stripe_account)] = witness

    def one(self, key: str, stripe_account: str) -> Row | None:
        """The row of this key; None where the source says that there is none."""
        if self._http.read is None:
            raise Malformed(f"{self._source}: it cannot be asked for one {self._shape.noun}; configure read.")
        _, url = self._addresses.endpoint(self._http.read, key, stripe_account)
        answer = self._wire.get(url)
        if answer.status in {404, 410}:
            self._check_absence(self._http.read, key, stripe_account)
            return None
        place = f"the answer for {shown(key)}"
        whole = self._parsed(answer, place)
        if self._is_deleted(whole, place):
            return None
        named = self._named(whole, place)
        row = self._shape.read(named, self._source, place)
        if self._shape.key_of(row) != key:
            raise Malformed(
                f"{self._source}: asked for {self._shape.noun} {shown(key)}, it answered with "
                f"{shown(self._shape.key_of(row))}. Correct read, or the name of the key."
            )
        return None if self.per_account and self._is_nobodys(named) else row

    def _is_nobodys(self, named: Mapping[str, object]) -> bool:
        """Of lists by account, no list shows a row that has lost its account: whoever comes new would not know it."""
        return "stripe_account" in self._fields and named.get("stripe_account") in {None, ""}

    def change(self, endpoint: str, key: str, changes: Mapping[str, object]) -> None:
        """Writes these fields of ours under their names. Raises Refused or Uncertain."""
        if unmapped := changes.keys() - self._fields.keys():
            raise Refused(
                f"{self._source}: {min(unmapped)} has no name there. Add it to fields to write it.",
                code="unmapped",
            )
        theirs = ((self._fields[name], written(value)) for name, value in changes.items())
        self.send(endpoint, key, nested(theirs))

    def send(self, endpoint: str, key: str, body: object) -> None:
        """Raises Refused or Uncertain; returns once the other side has taken it."""
        try:
            method, url = self._addresses.endpoint(endpoint, key)
        except Malformed as reason:
            raise Refused(str(reason), code="not_sent") from None
        answer = self._wire.send(method, url, encode(body))
        try:
            verdict = parse(answer.body) if answer.body else None
        except ValueError:
            return  # the status has said it; what else they write about it is not ours to judge
        if isinstance(verdict, dict) and verdict.get("success") is False:
            raise Refused(
                f"{self._source}: it answered {answer.status}, and says that it did not succeed.",
                code="unsuccessful",
            )

    def _check_absence(self, read: str, key: str, stripe_account: str) -> None:
        """A 404 is also what a mistyped address says, and a proxy whose program is gone. It counts where a row
        that is there is found at the same moment, or where the last whole pass named none at all."""
        where = self._list(stripe_account)
        witness = self._witnesses.get(where, key)
        if witness is None:
            return
        if witness != key:
            _, url = self._addresses.endpoint(read, witness, stripe_account)
            if self._wire.get(url).status == httpx.codes.OK:
                return
            del self._witnesses[where]
        raise Unreachable(
            f"{self._source}: it says that there is no {self._shape.noun} {shown(key)}, but no other one was found by "
            "read either, so the address may be wrong. It counts once a pass has named one that is found."
        )

    def _list(self, stripe_account: str) -> str:
        return stripe_account if self.per_account else ""

    def _page(
        self, answer: Answer, url: str, place: str, stripe_account: str
    ) -> tuple[Page[Row], str | None]:
        whole = self._parsed(answer, place)
        items = self._found(whole, self._http.items, place)
        if not isinstance(items, list):
            raise Malformed(
                f"{self._source}: {place} has no list at items = “{self._http.items}”. That is not an empty source; "
                "correct items, or look what it answers."
            )
        present = (item for item in items if not self._is_deleted(item, place))
        rows = self._shape.page((self._named(item, place) for item in present), self._source, place)
        named = self._found(whole, self._http.next, place) if self._http.next is not None else None
        following = self._addresses.following(named, url, stripe_account)
        complete = self._http.complete
        if following is None and complete is not None and self._found(whole, complete, place) is not True:
            raise Malformed(
                f"{self._source}: {place} names no next one, and does not say “{complete}” either. It may have been "
                "cut off."
            )
        return Page(tuple(rows), tuple(rows.values()), answer.sent_at), following

    def _parsed(self, answer: Answer, place: str) -> Any:
        if answer.status != httpx.codes.OK:
            raise Malformed(f"{self._source}: {place} has status {answer.status}. Correct its address.")
        try:
            return parse(answer.body)
        except ValueError as reason:
            raise Malformed(
                f"{self._source}: {place} is not understood: {reason}. Nothing of it was used."
            ) from None

    def _found(self, whole: object, dotted: str, place: str) -> object:
        try:
            return at(whole, dotted)
        except ValueError as reason:
            raise Malformed(f"{self._source}: {place} {reason}. Correct “{dotted}”.") from None

    def _is_deleted(self, row: object, place: str) -> bool:
        return self._http.deleted is not None and self._found(row, self._http.deleted, place) is True

    def _named(self, row: object, place: str) -> dict[str, object]:
        if not isinstance(row, dict):
            raise Malformed(
                f"{self._source}: {place} holds {shown(row)}, where a {self._shape.noun} belongs."
            )
        return {ours: self._found(row, theirs, place) for ours, theirs in self._fields.items()}

    def _remember(self, url: str, answer: Answer, page: Page[Row], following: str | None) -> None:
        self._remembered.pop(url, None)
        validators = {
            asked: answer.headers[said]
            for said, asked in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
            if said in answer.headers
        }
        if validators and len(self._remembered) < CONDITIONAL_PAGES_MAX:
            self._remembered[url] = _Remembered(validators, "\n".join(page.keys), following)

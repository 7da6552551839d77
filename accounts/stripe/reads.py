"""Reads Stripe's objects: one page, all pages as a stream, or one object by its address.

A Reader is made from a proven key only, so that what it does not find is absent. It holds one page at a time.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from msgspec import structs

from accounts.budget import Purpose
from accounts.errors import Forbidden, Malformed, Unauthorized, Unproven, WrongAccount
from accounts.facts import ID_PATTERN, Address
from accounts.stripe.answers import NoSuchObject
from accounts.stripe.connection import Answer, Connection
from accounts.stripe.decoding import Decoding, Listed, Unreadable
from accounts.stripe.identity import Proven
from accounts.stripe.permissions import Missing, Permissions
from accounts.stripe.resources import BY_TYPE, COUPONS, SUBSCRIPTION_ITEMS, UNSWEPT, Resource
from accounts.stripe.shapes import Subscription, SubscriptionItem
from accounts.stripe.shapes.base import Embedded

T = TypeVar("T")

PAGE_OBJECTS_MAX: Final = 100  # Stripe gives no more

Filter = str | int | tuple[str, ...]  # a tuple: any of these


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects of a list, newest first."""

    items: list[Any]  # of the resource's shape
    unreadable: tuple[Unreadable, ...]  # there, but not understood; the rest of the list is complete
    has_more: bool
    started_at: datetime  # before the request was sent: nothing newer is in it
    last_id: str | None  # continue after this one


class Reader:
    """Reads one account. Safe for any number of threads."""

    def __init__(
        self, connection: Connection, proven: Proven, permissions: Permissions, decoding: Decoding
    ) -> None:
        if proven.key is not connection.key:
            raise Unproven("Another key was proven than the one to be used.", account=connection.account)
        self.account = connection.account
        self.stripe_account = proven.stripe_account
        self._connection = connection
        self._permissions = permissions
        self._decoding = decoding

    def page(
        self,
        resource: Resource,
        *,
        purpose: Purpose,
        starting_after: str | None = None,
        created_gte: int | None = None,
        created_lt: int | None = None,
        limit: int = PAGE_OBJECTS_MAX,
        **filters: Filter,
    ) -> Page:
        """One page. A filter named in brackets is given as Stripe has it: `**{"payment[type]": "charge"}`.

        Raises NoSuchObject where a filter or the cursor names an object that does not exist.
        """
        query = _query(resource, limit, created_gte, created_lt, filters)
        if starting_after is not None:
            if created_gte is not None or created_lt is not None:
                raise ValueError(
                    "a cursor and a window together may hide objects; `pages` uses one after the other"
                )
            query.append(("starting_after", self._sound(starting_after)))
        answer = self._get(
            resource, resource.path, query, purpose, self._decode_page(resource), prefix="data."
        )
        listed = answer.content
        for item in listed.items:
            self._check_mode(item)
        if listed.has_more and listed.last_id in (None, starting_after):
            raise Malformed(
                f"Stripe's list of {resource.name} says that there is more and does not go on.",
                account=self.account,
                request_id=answer.request_id,
            )
        items, unreadable = self._completed(listed, purpose)
        return Page(items, unreadable, listed.has_more, answer.started_at, listed.last_id)

    def pages(
        self,
        resource: Resource,
        *,
        purpose: Purpose,
        starting_after: str | None = None,
        created_gte: int | None = None,
        created_lt: int | None = None,
        **filters: Filter,
    ) -> Iterator[Page]:
        """All pages of a list, one at a time, until what is older than `created_gte`.

        The window places the first page only; then the cursor leads alone, because Stripe answers an empty page
        to a cursor in a window that is tight around it. If the object that the cursor stands on is deleted
        meanwhile, a fresh query continues at its second; objects of that second may then come twice.
        """
        last_created: int | None = None
        while True:
            placing = starting_after is None
            try:
                page = self.page(
                    resource,
                    purpose=purpose,
                    starting_after=starting_after,
                    created_gte=created_gte if placing else None,
                    created_lt=created_lt if placing else None,
                    limit=PAGE_OBJECTS_MAX,
                    **filters,
                )
            except NoSuchObject as absent:
                if absent.param != "starting_after" or last_created is None or not resource.windows:
                    raise
                starting_after, created_lt = None, last_created + 1
                continue
            last_created = min((one.created for one in page.items if hasattr(one, "created")), default=None)
            if created_gte is not None and last_created is not None and last_created < created_gte:
                page = replace(
                    page, items=[o for o in page.items if o.created >= created_gte], has_more=False
                )
            yield page
            if not page.has_more:
                return
            starting_after = page.last_id

    def one(self, address: Address, *, purpose: Purpose) -> Any:
        """The object in its shape, Deleted, or None where Stripe says that there is none."""
        resource = BY_TYPE.get(address.type) or UNSWEPT.get(address.type)
        if resource is None:
            raise Malformed(f"Objects of the type {address.type[:60]!r} are not read.", account=self.account)
        path = f"{resource.path}/{self._sound(address.id)}" if resource.listed else resource.path
        try:
            one = self._get(resource, path, [], purpose, self._decode_one(resource)).content
        except NoSuchObject:
            return None
        self._check_mode(one)
        if getattr(one, "id", address.id) != address.id:
            raise Malformed(f"Stripe answered with another object than {address.id}.", account=self.account)
        return self._with_all_items(one, purpose) if isinstance(one, Subscription) else one

    def with_personal(
        self, address: Address, fields: Collection[str], *, purpose: Purpose
    ) -> tuple[Any, Mapping[str, Any]]:
        """The object as `one` gives it, and these fields of it that no shape keeps.

        They are personal, or open by themselves: for the reviewer's eyes and for the moment of sending. They are
        never logged, and never stored but encrypted.
        """
        resource = BY_TYPE[address.type]
        decode = self._decode_one(resource)
        path = f"{resource.path}/{self._sound(address.id)}"
        try:
            one, personal = self._get(
                resource, path, [], purpose, lambda body: (decode(body), self._decoding.fields(fields, body))
            ).content
        except NoSuchObject:
            return None, {}
        self._check_mode(one)
        if getattr(one, "id", address.id) != address.id:
            raise Malformed(f"Stripe answered with another object than {address.id}.", account=self.account)
        return one, personal

    def the(self, resource: Resource, *, purpose: Purpose) -> Any:
        """What there is only one of: the account, the balance."""
        if resource.listed:
            raise ValueError(f"{resource.name} are many; name one by its address")
        one = self._get(resource, resource.path, [], purpose, self._decode_one(resource)).content
        self._check_mode(one)
        return one

    def missing(self) -> tuple[Missing, ...]:
        """What the key has turned out not to open."""
        return self._permissions.missing()

    def _completed(self, listed: Listed[Any], purpose: Purpose) -> tuple[list[Any], tuple[Unreadable, ...]]:
        """The objects of a page, those in full of which Stripe shows only the beginning."""
        cut = {one.id for one in listed.items if isinstance(one, Subscription) and self._is_cut(one)}
        if not cut:
            return listed.items, listed.unreadable
        items, unreadable = [], list(listed.unreadable)
        for one in listed.items:
            try:
                items.append(self._with_all_items(one, purpose) if one.id in cut else one)
            except Malformed as problem:
                unreadable.append(Unreadable(one.id, str(problem)))
        return items, tuple(unreadable)

    def _is_cut(self, one: Subscription) -> bool:
        """Whether some of its items are not shown, or not what is taken off them."""
        if one.items.has_more:
            return True
        discounts = [each for item in one.items.data for each in item.discounts]
        untold = any(each.coupon is None or each.coupon.duration is None for each in discounts)
        return untold and self._permissions.admits(COUPONS)

    def _with_all_items(self, one: Subscription, purpose: Purpose) -> Subscription:
        if not self._is_cut(one):
            return one
        found: list[SubscriptionItem] = []
        for page in self.pages(SUBSCRIPTION_ITEMS, purpose=purpose, subscription=one.id):
            if page.unreadable:
                raise Malformed(f"An item of {one.id} is not understood.", account=self.account)
            found += page.items
        return structs.replace(one, items=Embedded(tuple(found)))

    def _decode_page(self, resource: Resource) -> Callable[[bytes], Listed[Any]]:
        return lambda body: self._decoding.page(resource.shape, body)

    def _decode_one(self, resource: Resource) -> Callable[[bytes], Any]:
        return lambda body: self._decoding.one(resource.shape, body)

    def _get(
        self,
        resource: Resource,
        path: str,
        parameters: list[tuple[str, str | int]],
        purpose: Purpose,
        decode: Callable[[bytes], T],
        prefix: str = "",
    ) -> Answer[T]:
        """Asks with what comes inside, and without it where only that is not permitted."""
        self._permissions.admit(resource.name)
        inside = resource.expansion
        refused: Forbidden | None = None
        if inside is not None and self._permissions.admits(inside.name):
            try:
                expanded = [*parameters, ("expand[]", prefix + inside.path)]
                answer = self._ask(resource, path, expanded, purpose, decode)
            except Forbidden as forbidden:
                if set(forbidden.permissions) & set(resource.permissions):
                    self._permissions.refused(resource.name, forbidden)
                    raise
                # Older answers name no permission: only asking without it tells which one is missing.
                refused = forbidden
            else:
                self._permissions.granted(inside.name)
                self._permissions.granted(resource.name)
                return answer
        try:
            answer = self._ask(resource, path, parameters, purpose, decode)
        except Forbidden as forbidden:
            self._permissions.refused(resource.name, forbidden)
            raise
        self._permissions.granted(resource.name)
        if inside is not None and refused is not None:
            self._permissions.refused(inside.name, refused)
        return answer

    def _ask(
        self,
        resource: Resource,
        path: str,
        parameters: list[tuple[str, str | int]],
        purpose: Purpose,
        decode: Callable[[bytes], T],
    ) -> Answer[T]:
        try:
            return self._connection.get(
                path,
                parameters,
                decode=decode,
                resource=resource.name,
                endpoint=resource.endpoint,
                purpose=purpose,
            )
        except Unauthorized as unauthorized:
            self._permissions.stop(unauthorized)
            raise

    def _sound(self, id_: str) -> str:
        if not ID_PATTERN.fullmatch(id_):
            raise Malformed(f"{id_[:60]!r} is not an id that can be asked for.", account=self.account)
        return id_

    def _check_mode(self, one: object) -> None:
        livemode = getattr(one, "livemode", None)
        if livemode is not None and livemode != self._connection.key.livemode:
            mode = "live" if self._connection.key.livemode else "test"
            raise WrongAccount(
                f"The key claims to be a {mode} key, and Stripe answers with objects that are not {mode}.",
                account=self.account,
            )


def _query(
    resource: Resource,
    limit: int,
    created_gte: int | None,
    created_lt: int | None,
    filters: Mapping[str, Filter],
) -> list[tuple[str, str | int]]:
    if not resource.listed or (resource.required is not None and resource.required not in filters):
        raise ValueError(
            f"{resource.name} cannot be listed{f' without {resource.required}' * resource.listed}"
        )
    if unknown := set(filters) - resource.filters:
        raise ValueError(f"{resource.name} cannot be filtered by {', '.join(sorted(unknown))}")
    if not resource.windows and not created_gte is created_lt is None:
        raise ValueError(f"{resource.name} cannot be read by when they were created")
    query: list[tuple[str, str | int]] = [("limit", limit)]
    for name, wanted in (dict(resource.complete) | dict(filters)).items():
        if isinstance(wanted, tuple):
            query += [(f"{name}[]", each) for each in wanted]
        else:
            query.append((name, wanted))
    if created_gte is not None:
        query.append(("created[gte]", created_gte))
    if created_lt is not None:
        query.append(("created[lt]", created_lt))
    return query

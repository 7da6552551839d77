"""Events as envelopes: which object to look at again, and never what they say about it.

Snapshot events carry the whole object, rendered in some API version; thin events carry its address. Both
become the same envelope, and the payload is skipped.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from accounts.facts import Address
from accounts.stripe.shapes.base import Code, Expanded, Id, Ref, Unix

if TYPE_CHECKING:
    Moment = int
else:
    Moment = Unix | Annotated[str, Meta(max_length=64)]  # thin events write RFC 3339


# Not Parts: nothing here is of an older shape, and a webhook waits while this is decoded.
class EventObject(Struct, frozen=True, kw_only=True, gc=False):
    """All that is read of the object in an event. Some have no id: an invoice that is only upcoming."""

    object: Code | None = None
    type: Code | None = None  # how thin events call it
    id: Id | None = None
    customer: Ref | None = None


class EventData(Struct, frozen=True, gc=False):
    object: EventObject


class EventRequest(Struct, frozen=True, kw_only=True, gc=False):
    """The API call that caused the event, if one did. By its key we know our own."""

    id: Id | None = None
    idempotency_key: Code | None = None


class EventReason(Struct, frozen=True, gc=False):
    request: EventRequest | None = None


class Event(Struct, frozen=True, kw_only=True, gc=False):
    id: Id
    created: Moment
    livemode: bool
    object: Literal["event", "v2.core.event"]
    type: Code
    account: Id | None = None  # Connect: whose event it is
    api_version: Code | None = None
    context: Code | None = None  # the same, as newer endpoints and all thin events say it
    request: EventRequest | str | None = None  # a text before 2017
    snapshot_event: Id | None = None  # of a thin event: the id of its snapshot twin
    data: EventData | None = None  # of snapshot events
    reason: EventReason | None = None  # of thin events, as is the next
    related_object: EventObject | None = None

    def __post_init__(self) -> None:
        created: Any = self.created
        if isinstance(created, str):
            force_setattr(self, "created", int(datetime.fromisoformat(created).timestamp()))

    @property
    def thin(self) -> bool:
        return self.object == "v2.core.event"

    @property
    def about(self) -> EventObject | None:
        """What happened to which object, as far as it is believed."""
        return self.related_object if self.data is None else self.data.object

    @property
    def object_type(self) -> str | None:
        about = self.about
        return None if about is None else about.object or about.type

    @property
    def object_id(self) -> str | None:
        about = self.about
        return None if about is None else about.id

    @property
    def customer(self) -> str | None:
        """Whose object it is, where the event says so; of a customer, itself."""
        about = self.about
        if about is None:
            return None
        if (about.object or about.type) == "customer":
            return about.id
        named: Any = about.customer
        return named.id if type(named) is Expanded else named

    @property
    def address(self) -> Address | None:
        """The object to look at again; None where the event is about nothing that can be read."""
        kind, id = self.object_type, self.object_id
        return None if kind is None or id is None else Address(kind, id)

    @property
    def idempotency_key(self) -> str | None:
        request = self._request
        return None if request is None else request.idempotency_key

    @property
    def request_id(self) -> str | None:
        request = self._request
        return None if request is None else request.id

    @property
    def _request(self) -> EventRequest | None:
        if isinstance(self.request, str):
            return EventRequest(id=self.request)
        return self.request if self.reason is None else self.reason.request

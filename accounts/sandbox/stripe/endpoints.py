"""Every endpoint of the pretend Stripe, and which of them a request means."""

from collections.abc import Callable

from accounts.sandbox.stripe import (
    account,
    catalog,
    credit_notes,
    customers,
    disputes,
    entitlements,
    events,
    files,
    invoices,
    payments,
    payouts,
    refunds,
    reviews,
    subscriptions,
    webhook_endpoints,
)
from accounts.sandbox.stripe.call import Answer, Call, Endpoint, reads
from accounts.sandbox.stripe.lists import Cursors, page_of, read_question
from accounts.sandbox.stripe.resources import RESOURCES, Resource


def _lister(resource: Resource) -> Callable[[Call], Answer]:
    def list_(call: Call) -> Answer:
        question, cursors = read_question(resource, call.params), Cursors.read(call.params)
        call.params.finish()
        return page_of(call.account.shelf(resource.cls), resource.path, question, cursors)

    return list_


def _retriever(resource: Resource) -> Callable[[Call], Answer]:
    def retrieve(call: Call) -> Answer:
        call.params.finish()
        if resource.tombstones and call.account.deleted(resource.cls, call.id):
            return {"id": call.id, "object": resource.cls, "deleted": True}
        return call.one(resource.cls, call.id)

    return retrieve


ENDPOINTS: tuple[Endpoint, ...] = (
    *(
        reads(each.path, each.cls, each.permissions, _lister(each), listing=True)
        for each in RESOURCES
        if each.listed
    ),
    *(
        reads(f"{each.path}/{{id}}", each.cls, each.permissions, _retriever(each))
        for each in RESOURCES
        if each.retrieved
    ),
    *account.ENDPOINTS,
    *catalog.ENDPOINTS,
    *credit_notes.ENDPOINTS,
    *customers.ENDPOINTS,
    *disputes.ENDPOINTS,
    *entitlements.ENDPOINTS,
    *events.ENDPOINTS,
    *files.ENDPOINTS,
    *invoices.ENDPOINTS,
    *payments.ENDPOINTS,
    *payouts.ENDPOINTS,
    *refunds.ENDPOINTS,
    *reviews.ENDPOINTS,
    *subscriptions.ENDPOINTS,
    *webhook_endpoints.ENDPOINTS,
)

_SEGMENT = "{id}"
_FIXED = {(each.method, each.path): each for each in ENDPOINTS if _SEGMENT not in each.path}
_OPEN = {(each.method, tuple(each.path.split("/"))): each for each in ENDPOINTS if _SEGMENT in each.path}
_SHAPES = {tuple(at for at, part in enumerate(path) if part == _SEGMENT) for _, path in _OPEN}


def route(method: str, path: str) -> tuple[Endpoint, tuple[str, ...]] | None:
    """The endpoint and the ids in the path; a fixed path wins over one with ids."""
    fixed = _FIXED.get((method, path))
    if fixed is not None:
        return fixed, ()
    parts = path.split("/")
    for shape in _SHAPES:
        if shape[-1] < len(parts):
            generic = tuple(_SEGMENT if at in shape else part for at, part in enumerate(parts))
            found = _OPEN.get((method, generic))
            if found is not None:
                return found, tuple(parts[at] for at in shape)
    return None

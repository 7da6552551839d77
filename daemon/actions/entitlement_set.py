"""Sets what the product gives to a customer: one entitlement is changed, or given where there is none.

A change names what it replaces, so that it touches the one row that the reviewer saw or nothing at all; a write that
touches more or less has failed. A new entitlement gets a key made of whose it is, so that it cannot be given twice.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, cast

from accounts.entitlements import Entitlements
from accounts.errors import Refused
from accounts.facts import Address, Entitlement
from daemon.actions import details as given_as
from daemon.actions.reading import justification
from daemon.actions.shape import Asked, BadDetails, Done, Hands, Place, Seen, Sent, Trace
from daemon.core.canonical import Json

name: Final = "entitlement_set"
where: Final = "entitlements"
repeatable: Final = False
verifiable: Final = True
caller_only: Final = False

FIELDS: Final = ("customer", "feature", "status", "plan", "quantity")
SET: Final = ("status", "plan", "quantity")


def read(details: Mapping[str, Json], place: Place) -> Asked:
    """A plan or a quantity that is not named stays as it is."""
    given = given_as.known(details, name, FIELDS)
    customer = given_as.an_id(given, "customer")
    complete: dict[str, Json] = {
        "customer": customer,
        "feature": given_as.a_key(given, "feature") if "feature" in given else None,
        "status": given_as.a_key(given, "status"),
        "plan": given_as.a_key(given, "plan") if "plan" in given else None,
        "quantity": given_as.a_quantity(given, "quantity", least=0) if "quantity" in given else None,
    }
    named = "/".join(str(part) for part in (place.stripe_account, customer, complete["feature"]) if part)
    return Asked(complete, Address("entitlement", named))


def see(hands: Hands, asked: Asked) -> Seen:
    product = _product(hands)
    customer = str(asked.details["customer"])
    found = _entitlement(hands, product, asked)
    material: dict[str, Json] = {
        "customer": customer,
        "feature": asked.details["feature"],
        "before": _row(found),
    }
    material["stripe"] = justification(hands.reader, customer)
    return Seen(asked.target, material, customer, {"entitlement": found, "product": product})


def describe(asked: Asked, place: Place) -> str:
    wanted = ", ".join(f"{field} {asked.details[field]}" for field in SET if asked.details[field] is not None)
    what = asked.details["feature"] or "the entitlement"
    return given_as.button(f"Set {what} of {asked.details['customer']} to {wanted}", place)


def preflight(asked: Asked, seen: Seen, now: datetime) -> str | None:
    found: Entitlement | None = seen.objects["entitlement"]
    product: Entitlements = seen.objects["product"]
    if found is None:
        return (
            None if product.inserts else "The product has no such entitlement and takes no new ones from us."
        )
    if not product.updates:
        return "The product takes no changes from us; configure write.update."
    if not _changes(found, asked):
        return f"{found.key} is so already."
    return None


def request(asked: Asked, seen: Seen, tag: str) -> Mapping[str, Json]:
    found: Entitlement | None = seen.objects["entitlement"]
    if found is None:
        return {"insert": asked.target.id, "values": {field: asked.details[field] for field in SET}}
    return {"update": found.key, "before": _row(found), "values": _changes(found, asked)}


def execute(hands: Hands, asked: Asked, request: Mapping[str, Json], *, key: str) -> Done:
    product = _product(hands)
    found = _entitlement(hands, product, asked)
    if "insert" in request:
        if found is not None:
            raise Refused(f"{found.key} has appeared meanwhile. Nothing was written.", code="outdated")
        product.insert(_new(hands, asked))
        return Done(asked.target.id, str(asked.details["status"]))
    if found is None or _row(found) != request["before"]:
        raise Refused(f"{request['update']} has changed meanwhile. Nothing was written.", code="outdated")
    product.update(found, cast(Mapping[str, object], request["values"]))
    return Done(found.key, str(asked.details["status"]))


def verify(hands: Hands, asked: Asked, sent: Sent) -> Done | Trace:
    found = _entitlement(hands, _product(hands), asked)
    if found is not None and not _changes(found, asked):
        return Done(found.key, found.status, replayed=True)
    as_before = found is None if "insert" in sent.request else _row(found) == sent.request["before"]
    return Trace.ABSENT if as_before else Trace.UNSURE


def _product(hands: Hands) -> Entitlements:
    if hands.entitlements is None:
        raise BadDetails(
            "This account has no entitlement store; name one as `entitlements` in its configuration."
        )
    return hands.entitlements


def _entitlement(hands: Hands, product: Entitlements, asked: Asked) -> Entitlement | None:
    """As the product has it now: by key where we know the key, else among all that it has."""
    account = hands.reader.stripe_account
    if product.reads_one and hands.given is not None:
        known = _meant(hands.given(str(asked.details["customer"])), asked, account)
        read = (product.entitlement(each.key, account) for each in known)
        if found := _one((each for each in read if each is not None), asked, account):
            return found
    rows = (row for page in product.pages(account, afresh=True, kept=False) for row in page.rows)
    return _one(rows, asked, account)


def _one(found: Iterable[Entitlement], asked: Asked, account: str) -> Entitlement | None:
    meant = list(_meant(found, asked, account))
    if len(meant) > 1 and asked.details["plan"] is not None:
        meant = [each for each in meant if each.plan == asked.details["plan"]] or meant
    if len(meant) > 1:
        keys = ", ".join(sorted(each.key for each in meant))
        raise BadDetails(f"feature, plan: {asked.details['customer']} has several of these ({keys}).")
    return meant[0] if meant else None


def _meant(found: Iterable[Entitlement], asked: Asked, account: str) -> Iterable[Entitlement]:
    return (
        each
        for each in found
        if each.stripe_customer == asked.details["customer"]
        and each.feature == asked.details["feature"]
        and each.stripe_account in (None, account)
    )


def _changes(found: Entitlement, asked: Asked) -> dict[str, Json]:
    wanted = {field: asked.details[field] for field in SET if asked.details[field] is not None}
    return {field: value for field, value in wanted.items() if getattr(found, field) != value}


def _new(hands: Hands, asked: Asked) -> Entitlement:
    return Entitlement(
        key=asked.target.id,
        stripe_customer=str(asked.details["customer"]),
        stripe_account=hands.reader.stripe_account,
        feature=cast(str | None, asked.details["feature"]),
        plan=cast(str | None, asked.details["plan"]),
        status=str(asked.details["status"]),
        quantity=cast(int | None, asked.details["quantity"]),
    )


def _row(found: Entitlement | None) -> Json:
    if found is None:
        return None
    return {
        "key": found.key,
        "plan": found.plan,
        "status": found.status,
        "quantity": found.quantity,
        "expires_at": found.expires_at.isoformat() if found.expires_at else None,
        "updated": found.updated.isoformat() if found.updated else None,
    }

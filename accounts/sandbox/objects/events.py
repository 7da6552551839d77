"""Events in both forms, and the endpoints that hear them."""

from datetime import UTC, datetime
from typing import Any

from accounts.sandbox.objects.shape import API_VERSION, Object, completed

# Where an object of each class can be read, for the thin events that only point at it.
PATHS = {
    "active_entitlement_summary": "/v1/entitlements/active_entitlements",
    "early_fraud_warning": "/v1/radar/early_fraud_warnings",
    "feature": "/v1/entitlements/features",
}


def event(
    id: str,
    *,
    created: int,
    type: str,
    object: Object,
    previous_attributes: Object | None = None,
    account: str | None = None,
    request: Object | None = None,
    pending_webhooks: int = 0,
    api_version: str = API_VERSION,
    livemode: bool = True,
) -> Object:
    """A snapshot event. Only `….updated` says what was before; only Connect's name an account."""
    data: Object = {"object": object}
    if previous_attributes is not None:
        data["previous_attributes"] = previous_attributes
    made: Object = {
        "id": id,
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": data,
        "livemode": livemode,
        "pending_webhooks": pending_webhooks,
        "request": request or {"id": None, "idempotency_key": None},
        "type": type,
    }
    if account is not None:
        made["account"] = account
    return made


def thin_id(snapshot_id: str) -> str:
    """The id of the thin twin; `evt_thin…` is `evt_…` again without the word."""
    return snapshot_id.replace("evt_", "evt_thin", 1)


def thin_event(snapshot: Object) -> Object:
    """The thin twin of a snapshot event, as `GET /v2/core/events/{id}` gives it."""
    of = snapshot["data"]["object"]
    related = None
    if "id" in of:
        last = of["object"].rsplit(".", 1)[-1]
        related = {
            "id": of["id"],
            "type": of["object"],
            "url": f"{PATHS.get(last, f'/v1/{last}s')}/{of['id']}",
        }
    made: Object = {
        "id": thin_id(snapshot["id"]),
        "object": "v2.core.event",
        "changes": None,
        "context": snapshot.get("account"),
        "created": datetime.fromtimestamp(snapshot["created"], UTC).isoformat().replace("+00:00", ".000Z"),
        "livemode": snapshot["livemode"],
        "reason": None,
        "related_object": related,
        "snapshot_event": snapshot["id"],
        "type": f"v1.{snapshot['type']}",
    }
    if snapshot["request"]["id"] or snapshot["request"]["idempotency_key"]:
        made["reason"] = {"request": snapshot["request"], "type": "request"}
    return made


def notification(event: Object) -> Object:
    """What of a thin event is delivered; the rest is fetched."""
    return {name: event[name] for name in event.keys() - {"changes", "snapshot_event"}}


def webhook_endpoint(
    id: str,
    *,
    created: int,
    url: str,
    enabled_events: list[str],
    api_version: str | None = API_VERSION,
    livemode: bool = True,
    **changes: Any,
) -> Object:
    """A webhook endpoint. Its secret is not in it: Stripe tells it once, when the endpoint is made."""
    return completed(
        {
            "id": id,
            "object": "webhook_endpoint",
            "api_version": api_version,
            "application": None,
            "created": created,
            "description": None,
            "enabled_events": enabled_events,
            "livemode": livemode,
            "metadata": {},
            "status": "enabled",
            "url": url,
        },
        changes,
    )

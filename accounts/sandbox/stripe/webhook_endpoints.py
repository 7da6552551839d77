"""Webhook endpoints: the secret is told once, when one is made; the world keeps it as `_secret`."""

from accounts.sandbox import objects
from accounts.sandbox.stripe.call import Answer, Call, writes
from accounts.sandbox.stripe.refusals import parameter_invalid, parameter_missing, refused
from accounts.sandbox.stripe.resources import BY_CLASS

PERMISSIONS = BY_CLASS["webhook_endpoint"].permissions
ENDPOINTS_MAX = 16  # in one account


def _create(call: Call) -> Answer:
    params = call.params
    url, enabled = params.required("url"), params.texts("enabled_events", most=1000)
    connect, version = params.flag("connect"), params.text("api_version")
    description, metadata = params.text("description"), params.metadata({})
    params.finish()
    if not enabled:
        raise parameter_missing("enabled_events")
    _check_url(url)
    if call.account.count("webhook_endpoint") >= ENDPOINTS_MAX:
        raise refused(f"You have reached the maximum of {ENDPOINTS_MAX} webhook endpoints.")
    endpoint = objects.webhook_endpoint(
        call.new_id("we"),
        created=call.now,
        url=url,
        enabled_events=enabled,
        api_version=version,
        livemode=call.account.livemode,
        description=description,
        metadata=metadata,
    )
    secret = call.new_id("whsec")
    call.put(endpoint | {"_secret": secret, "_connect": bool(connect)})
    return endpoint | {"secret": secret}


def _update(call: Call) -> Answer:
    params, before = call.params, call.one("webhook_endpoint", call.id)
    after = before | {"metadata": params.metadata(before["metadata"])}
    url, enabled = params.text("url"), params.texts("enabled_events", most=1000)
    disabled, description = params.flag("disabled"), params.text("description")
    params.finish()
    if url:
        _check_url(url)
        after["url"] = url
    if enabled:
        after["enabled_events"] = enabled
    if disabled is not None:
        after["status"] = "disabled" if disabled else "enabled"
    if description is not None:
        after["description"] = description or None
    return call.put(after)


def _check_url(url: str) -> None:
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise parameter_invalid("url", "Invalid URL: webhook endpoints need https, except on this machine.")


def _delete(call: Call) -> Answer:
    call.params.finish()
    call.one("webhook_endpoint", call.id)
    call.account.delete("webhook_endpoint", call.id)
    return {"id": call.id, "object": "webhook_endpoint", "deleted": True}


ENDPOINTS = (
    writes("/v1/webhook_endpoints", "webhook_endpoint", PERMISSIONS, _create),
    writes("/v1/webhook_endpoints/{id}", "webhook_endpoint", PERMISSIONS, _update),
    writes("/v1/webhook_endpoints/{id}", "webhook_endpoint", PERMISSIONS, _delete, method="DELETE"),
)

"""How Stripe says no: one function per sentence, in the shapes that its libraries turn into exceptions."""

from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """An error answer. `stored`: whether an idempotency key remembers it."""

    def __init__(
        self,
        status: int,
        type: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        stored: bool = False,
        headers: dict[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.stored = stored
        self.headers = headers or {}
        error: Json = {"message": message, "type": type}
        if code is not None:
            error |= {
                "code": code,
                "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
            }
        if param is not None:
            error["param"] = param
        self.error: Json = {"error": error | more}


# Parameters: refused before anything is done, so that the idempotency key stays free.


def invalid(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return Refusal(400, "invalid_request_error", message, code=code, param=param)


def parameter_unknown(name: str) -> Refusal:
    return invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")


def parameter_missing(name: str) -> Refusal:
    return invalid(f"Missing required param: {name}.", name, "parameter_missing")


def parameter_invalid(name: str, message: str, code: str | None = None) -> Refusal:
    return invalid(message, name, code)


# State of the world: the answer belongs to the key.


def refused(message: str, code: str | None = None, param: str | None = None, status: int = 400) -> Refusal:
    return Refusal(status, "invalid_request_error", message, code=code, param=param, stored=True)


def missing(cls: str, id_: str, param: str = "id", status: int = 404) -> Refusal:
    """No such object: 404 where the path names it, 400 where a parameter does."""
    return refused(f"No such {cls.rpartition('.')[2]}: '{id_}'", "resource_missing", param, status)


def declined(message: str, code: str, decline_code: str | None, charge: str | None) -> Refusal:
    more: Json = {"decline_code": decline_code} if decline_code else {}
    if charge:
        more["charge"] = charge
    return Refusal(402, "card_error", message, code=code, stored=True, **more)


def unrecognized_url(method: str, path: str) -> Refusal:
    return Refusal(
        404,
        "invalid_request_error",
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
    )


# Keys.


def masked(key: str) -> str:
    kind, _, secret = key.rpartition("_")
    return f"{kind}_{'*' * max(4, len(secret) - 6)}{secret[-4:]}"


def no_key() -> Refusal:
    return Refusal(
        401,
        "invalid_request_error",
        "You did not provide an API key. You need to provide your API key in the Authorization header, using "
        "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        headers={"www-authenticate": 'Basic realm="Stripe"'},
    )


def unknown_key(key: str) -> Refusal:
    return Refusal(401, "invalid_request_error", f"Invalid API Key provided: {masked(key)}")


def expired_key(key: str) -> Refusal:
    return Refusal(
        401, "invalid_request_error", f"Expired API Key provided: {masked(key)}", code="api_key_expired"
    )


def not_permitted(key: str, account: str, permissions: tuple[str, ...]) -> Refusal:
    names = ", ".join(f"'{name}'" for name in permissions)
    plural = "s" if len(permissions) > 1 else ""
    return Refusal(
        403,
        "invalid_request_error",
        f"The provided key '{masked(key)}' does not have the required permissions for this endpoint on account "
        f"'{account}'. Having the {names} permission{plural} would allow this request to continue.",
        code="more_permissions_required",
    )


def account_invalid(key: str, account: str) -> Refusal:
    return Refusal(
        403,
        "invalid_request_error",
        f"The provided key '{masked(key)}' does not have access to account '{account}' (or that account does not "
        "exist). Application access may have been revoked.",
        code="account_invalid",
    )


# Limits, locks and keys of idempotency.


def rate_limited(reason: str) -> Refusal:
    return Refusal(
        429,
        "invalid_request_error",
        "Request rate limit exceeded. You can learn more about rate limits here "
        "https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        headers={"stripe-rate-limited-reason": reason, "stripe-should-retry": "false"},
    )


def lock_timeout() -> Refusal:
    return Refusal(
        429,
        "invalid_request_error",
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it. If you see this error intermittently, retry the request. If you see this error "
        "frequently and are making multiple concurrent requests to a single object, make your requests serially "
        "or at a lower rate.",
        code="lock_timeout",
        headers={"stripe-should-retry": "true"},
    )


def idempotency_mismatch(key: str) -> Refusal:
    return Refusal(
        400,
        "idempotency_error",
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try "
        f"using a key other than '{key}' if you meant to execute a different request.",
    )


def idempotency_in_use(key: str) -> Refusal:
    return Refusal(
        409,
        "idempotency_error",
        "There is currently another in-progress request using this Idempotent Key (that probably means you "
        f"submitted twice, and the other request is still going through): {key}. Please try again later.",
        code="idempotency_key_in_use",
    )


def unknown_failure() -> Refusal:
    return Refusal(
        500,
        "api_error",
        "Sorry! There was an error while talking to one of our backends. Support has been notified.",
        stored=True,
    )

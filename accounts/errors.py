"""What can go wrong without being a fault of ours, above all when speaking to the world.

Explained                  a person is shown the message as it is
├── Misused                a configuration or a command line that cannot be used
└── WorldError             something outside answered badly

WorldError
├── ObservationError       a read
│   ├── Unreachable        no usable answer; look again later
│   │   ├── RateLimited    asked to wait; says by which limiter, and for how long
│   │   └── BudgetSpent    our own read budget says: not now, not for this purpose
│   ├── Unauthorized       the key is unknown, expired or revoked; stop using it and tell a person
│   ├── Forbidden          the key lacks a permission; pause this resource of this account only
│   ├── Unproven           it is not known whose key this is; nothing it answers counts as absence
│   ├── WrongAccount       the key is another account's, or of the other mode; never used
│   └── Malformed          an answer we do not understand; never read as absence
└── ActionError            a write
    ├── Refused            they said no; the case shows why
    └── Uncertain          no answer, or one that may not be the last; observe before anything else

Only the modules that speak to a system raise a WorldError; they translate every foreign error. A message is a
sentence that names what happened, to which account, and what to do. It never holds a key.
"""

from accounts.secret import redact


class Explained(Exception):
    """What happened is no fault of ours. The message says it to a person, and what to do."""


class Misused(Explained):
    """What we were given, a configuration or a command line, cannot be used."""


class WorldError(Explained):
    """Something outside answered badly."""

    def __init__(
        self, message: str | None = None, *, account: str | None = None, request_id: str | None = None
    ) -> None:
        sentence = redact(message or type(self).__doc__ or "")
        super().__init__(f"Account {account}: {sentence}" if account else sentence)
        self.account = account
        self.request_id = request_id


class ObservationError(WorldError):
    """A read failed."""


class Unreachable(ObservationError):
    """No usable answer came; look again later."""


class RateLimited(Unreachable):
    """The other side asked us to wait."""

    def __init__(
        self,
        message: str | None = None,
        *,
        reason: str | None = None,
        retry_after_s: float | None = None,
        account: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, account=account, request_id=request_id)
        self.reason = reason
        self.retry_after_s = retry_after_s


class BudgetSpent(Unreachable):
    """The read budget of the last 30 days leaves nothing for this purpose."""


class Unauthorized(ObservationError):
    """The key is unknown, expired or revoked. Create a new restricted key and put it in its place."""


class Forbidden(ObservationError):
    """The key lacks a permission."""

    def __init__(
        self,
        message: str | None = None,
        *,
        permissions: tuple[str, ...] = (),
        key_account: str | None = None,
        account: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, account=account, request_id=request_id)
        self.permissions = permissions  # any one of them would do
        self.key_account = key_account  # whose key it is, where the answer said so


class Unproven(ObservationError):
    """It is not known whose key this is, so nothing it answers counts as absence."""


class WrongAccount(ObservationError):
    """The key is another account's, or of the other mode. It is not used."""


class Malformed(ObservationError):
    """An answer that we do not understand. It is never read as absence."""


class ActionError(WorldError):
    """A write failed."""


class Refused(ActionError):
    """They said no."""

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        account: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, account=account, request_id=request_id)
        self.code = code


class Uncertain(ActionError):
    """No answer came to a write. Observe before anything else."""

    def __init__(
        self,
        message: str | None = None,
        *,
        nothing_done: bool = False,
        stored: bool = False,
        retry_after_s: float | None = None,
        account: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, account=account, request_id=request_id)
        self.nothing_done = nothing_done  # by this call, as they say themselves: it may be sent again
        self.stored = stored  # a failure that is kept under the key: it never gets another answer
        self.retry_after_s = retry_after_s

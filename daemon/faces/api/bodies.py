"""What is sent: the shapes of bodies. Unknown names are refused, so that a typo never becomes a default."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from daemon.core.canonical import WHOLE_MAX
from daemon.core.model import Kind, Severity

Text = Annotated[str, StringConstraints(max_length=4_000)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
PAGE = 50
PAGE_MAX = 500
NAMES_MAX = 100
EXPIRES_S_MAX = 30 * 86_400
Version = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Details = dict[str, Any]  # each action reads its own; what is JSON at all was looked at before
Execution = Literal["daemon", "caller"]


def _in_utc(at: datetime) -> datetime:
    """Without a zone it is UTC, as in every command."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Filters(Body):
    """Which cases, in which order, from where on. A filter may be given several times."""

    account: Annotated[list[Word], Field(max_length=NAMES_MAX)] = []
    kind: Annotated[list[Kind], Field(max_length=NAMES_MAX)] = []
    state: list[Literal["open", "snoozed", "resolved"]] = []
    severity: list[Severity] = []
    due_before: Moment | None = None
    assignee: Word | None = Field(None, description="A name; `me` is oneself.")
    amount_min: Annotated[int, Field(ge=0, le=WHOLE_MAX)] | None = None
    q: Annotated[str, StringConstraints(max_length=200)] | None = None
    sort: Literal["urgency", "due", "opened", "amount"] = "urgency"
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = PAGE
    cursor: Annotated[str, StringConstraints(max_length=1_000)] | None = None


class Stage(Body):
    account: Word
    action: Word
    details: Details
    summary: Text | None = None
    justification: Text | None = None
    execution: Execution = "daemon"
    callback_url: Annotated[str, StringConstraints(max_length=2_000)] | None = None
    expires_in: Annotated[int, Field(ge=1, le=EXPIRES_S_MAX, strict=True)] | Word | None = None


class Propose(Body):
    """`version` names the version that is edited; without it, this is a proposal of its own."""

    action: Word
    details: Details
    justification: Text | None = None
    execution: Execution | None = None  # an edit leaves it as it was; otherwise it is done by us
    version: Version | None = None


class Approve(Body):
    version: Version
    state_hash: Hash
    note: Text | None = None
    details: Details | None = None


class Verdict(Body):
    """`state_hash` may come along as in an approval; whoever takes back or says no need not have seen the newest."""

    version: Version
    state_hash: Hash | None = None
    note: Text | None = None


class Dismiss(Body):
    reason: Reason
    until: Moment | None = None


class Assign(Body):
    to: Word | None = None


class Snooze(Body):
    """Without a time it is back at once."""

    until: Moment | None


class Comment(Body):
    text: Reason


class Nothing(Body):
    pass


class BatchRow(Body):
    """One decision: its verb, its case, and what that verb takes."""

    verb: Word
    case_id: Word
    version: Version | None = None
    state_hash: Hash | None = None
    note: Text | None = None
    reason: Reason | None = None
    to: Word | None = None


class Batch(Body):
    """At most as many as a person can look through before they click."""

    rows: Annotated[list[BatchRow], Field(min_length=1, max_length=25)]


class Pushed(Body):
    key: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class SignIn(Body):
    code: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class NewToken(Body):
    name: Word
    user: Word | None = None
    role: Word | None = None
    accounts: Annotated[list[Word], Field(max_length=1_000)] = []


class Name(Body):
    name: Word


class PolicyText(Body):
    text: Annotated[str, StringConstraints(max_length=1024 * 1024)]


class Flip(Body):
    state: Literal["on", "off"]
    account: Word | None = None

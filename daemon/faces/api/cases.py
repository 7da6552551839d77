"""`/api/v1/cases`: the queue, one case, and everything that somebody decides about it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from daemon.faces.api import bodies
from daemon.faces.api.services import Uses, Who
from daemon.faces.api.strict import StrictRoute
from daemon.overview import Wanted

routes = APIRouter(prefix="/api/v1/cases", route_class=StrictRoute, tags=["cases"])

Id = Annotated[str, bodies.StringConstraints(max_length=200)]
Case = dict[str, Any]


@routes.get("")
def list_cases(who: Who, uses: Uses, filters: Annotated[bodies.Filters, Query()]) -> Case:
    """What stands, the most urgent first; `next` is the cursor of the page after this one."""
    wanted = Wanted(
        accounts=filters.account,
        kinds=[kind.value for kind in filters.kind],
        states=filters.state or Wanted().states,
        severities=[severity.value for severity in filters.severity],
        assignee=filters.assignee,
        due_before=filters.due_before,
        amount_min=filters.amount_min,
        text=filters.q,
        sort=filters.sort,
    )
    return uses.overview.cases(who, wanted, limit=filters.limit, cursor=filters.cursor)


@routes.post("/batch")
def batch(who: Who, uses: Uses, body: bodies.Batch) -> Case:
    """Decides up to 25 rows, each for itself; one that is refused keeps no other from being done."""
    rows = [row.model_dump(exclude_unset=True) for row in body.rows]
    return {"rows": uses.desk.batch(who, rows)}


@routes.get("/{id}")
def show_case(who: Who, uses: Uses, id: Id) -> Case:
    """One case, whole."""
    return uses.overview.case(who, id)


@routes.post("/{id}/proposals", status_code=201)
def propose(who: Who, uses: Uses, id: Id, body: bodies.Propose) -> Case:
    """Proposes an action, or edits the version that is named: a new version, and every vote on the old one is void."""
    uses.desk.propose(
        who, id, body.action, body.details, body.justification, body.execution, version=body.version
    )
    return uses.overview.case(who, id)


@routes.post("/{id}/approve")
def approve(who: Who, uses: Uses, id: Id, body: bodies.Approve) -> Case:
    """Votes for exactly this version, as the world was when it was shown; with details: edited down first."""
    uses.desk.approve(who, id, body.version, body.state_hash, body.note, details=body.details)
    return uses.overview.case(who, id)


@routes.post("/{id}/reject")
def reject(who: Who, uses: Uses, id: Id, body: bodies.Verdict) -> Case:
    """Votes against it, which ends this version."""
    uses.desk.reject(who, id, body.version, body.note)
    return uses.overview.case(who, id)


@routes.post("/{id}/request-changes")
def request_changes(who: Who, uses: Uses, id: Id, body: bodies.Verdict) -> Case:
    """Sends it back to be edited."""
    uses.desk.request_changes(who, id, body.version, body.note)
    return uses.overview.case(who, id)


@routes.post("/{id}/withdraw")
def withdraw(who: Who, uses: Uses, id: Id, body: bodies.Verdict) -> Case:
    """Takes one's own proposal back."""
    uses.desk.withdraw(who, id, body.version, body.note)
    return uses.overview.case(who, id)


@routes.post("/{id}/revoke")
def revoke(who: Who, uses: Uses, id: Id, body: bodies.Verdict) -> Case:
    """Takes an approval back, as long as nothing was begun."""
    uses.desk.revoke(who, id, body.version, body.note)
    return uses.overview.case(who, id)


@routes.post("/{id}/retry")
def retry(who: Who, uses: Uses, id: Id, body: bodies.Verdict) -> Case:
    """Lets a failed action be tried again, or an unknown one of which it was verified that nothing happened."""
    uses.desk.retry(who, id, body.version, body.note)
    return uses.overview.case(who, id)


@routes.post("/{id}/dismiss")
def dismiss(who: Who, uses: Uses, id: Id, body: bodies.Dismiss) -> Case:
    """Accepts a disagreement as known, until its facts change or until a day."""
    uses.desk.dismiss(who, id, body.reason, until=body.until)
    return uses.overview.case(who, id)


@routes.post("/{id}/release")
def release(who: Who, uses: Uses, id: Id, body: bodies.Nothing) -> Case:
    """Shows what a rule wants to open and is held back for."""
    uses.desk.release(who, id)
    return uses.overview.case(who, id)


@routes.post("/{id}/assign")
def assign(who: Who, uses: Uses, id: Id, body: bodies.Assign) -> Case:
    """Gives it to somebody for a while; to nobody: frees it."""
    uses.desk.assign(who, id, body.to)
    return uses.overview.case(who, id)


@routes.post("/{id}/snooze")
def snooze(who: Who, uses: Uses, id: Id, body: bodies.Snooze) -> Case:
    """Hides it until then, or until its deadline is near, whichever comes first."""
    uses.desk.snooze(who, id, body.until)
    return uses.overview.case(who, id)


@routes.post("/{id}/comment")
def comment(who: Who, uses: Uses, id: Id, body: bodies.Comment) -> Case:
    """Adds a note for whoever comes next."""
    uses.desk.comment(who, id, body.text)
    return uses.overview.case(who, id)

"""What is not a case: accounts, the journal, totals, who one is, tokens, changes that wait, the kill switch."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from daemon.core.approval.principal import Principal
from daemon.faces.api import bodies
from daemon.faces.api.services import Uses, Who
from daemon.faces.api.strict import StrictRoute
from daemon.overview import shown_change, shown_token

routes = APIRouter(prefix="/api/v1", route_class=StrictRoute, tags=["installation"])

Id = Annotated[str, bodies.StringConstraints(max_length=200)]
Shown = dict[str, Any]


@routes.get("/accounts")
def accounts(who: Who, uses: Uses) -> Shown:
    """Every account's health: keys, permissions, watermarks, read budget, whether acting is stopped."""
    return {"items": uses.overview.accounts(who)}


@routes.get("/accounts/{id}")
def account(who: Who, uses: Uses, id: Id) -> Shown:
    """One account's health."""
    return uses.overview.account(who, id)


@routes.get("/journal")
def journal(
    who: Who,
    uses: Uses,
    account: Annotated[str | None, Query(max_length=200)] = None,
    kind: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
) -> Shown:
    """The newest entries, newest first; for auditors and admins."""
    return uses.overview.journal(who, account=account, kind=kind, limit=limit, cursor=cursor)


@routes.get("/journal/head")
def head(who: Who, uses: Uses) -> Shown:
    """Where the chain ends: to be kept where nobody who can write the database can write."""
    return uses.overview.journal_head(who)


@routes.get("/stats")
def stats(who: Who, uses: Uses) -> Shown:
    """How much stands: counts, and totals per currency, for all accounts and for each."""
    return uses.overview.stats(who)


@routes.post("/records/{source}", status_code=202)
def pushed(who: Who, uses: Uses, source: Id, body: bodies.Pushed) -> Shown:
    """A CRM or a product says that a row of it has changed, and is looked at again."""
    return {"marked": uses.pushing.look_again(who, source, body.key)}


@routes.get("/me")
def me(who: Who) -> Shown:
    """Who one is here."""
    return shown_principal(who)


@routes.post("/login")
def sign_in(uses: Uses, body: bodies.SignIn) -> Shown:
    """Redeems the code of a one-time link for a token of the person whose link it is."""
    made = uses.keyring.sign_in(body.code)
    assert made.person is not None, "a link is a person's"
    return shown_token(made.token) | {
        "token": made.secret,
        "user": made.person.name,
        "role": made.person.role,
    }


@routes.get("/tokens")
def tokens(who: Who, uses: Uses) -> Shown:
    """One's own tokens; for an admin, all of them. What they are made of is never shown again."""
    return {"items": [shown_token(each) for each in uses.keyring.tokens(who)]}


@routes.post("/tokens", status_code=201)
def add_token(who: Who, uses: Uses, body: bodies.NewToken) -> Shown:
    """Makes a token: one of one's own, or as an admin one for a program. It is shown this once."""
    if body.role is not None and body.user is None:
        made = uses.keyring.add_for_program(who, body.name, body.role, body.accounts)
    else:
        made = uses.keyring.add_for_person(who, body.name, body.user or who.name, body.accounts)
    user = made.person.name if made.person is not None else None
    return shown_token(made.token) | {"token": made.secret, "user": user}


@routes.post("/tokens/revoke")
def revoke_token(who: Who, uses: Uses, body: bodies.Name) -> Shown:
    """Ends a token at once."""
    return shown_token(uses.keyring.revoke(who, body.name))


@routes.get("/changes")
def changes(who: Who, uses: Uses) -> Shown:
    """Changes of people and policies that wait for another admin."""
    return {"items": [shown_change(each) for each in uses.governing.waiting(who)]}


@routes.post("/changes/{id}/confirm")
def confirm(who: Who, uses: Uses, id: Id, body: bodies.Nothing) -> Shown:
    """Lets a change take effect that somebody else has proposed."""
    return shown_change(uses.governing.confirm(who, id)) | {"state": "confirmed"}


@routes.post("/changes/{id}/withdraw")
def withdraw(who: Who, uses: Uses, id: Id, body: bodies.Nothing) -> Shown:
    """Ends a change that waits."""
    return shown_change(uses.governing.withdraw(who, id)) | {"state": "withdrawn"}


@routes.post("/policies/{name}/activate")
def activate(who: Who, uses: Uses, name: Id, body: bodies.PolicyText) -> Shown:
    """Puts a policy in force, or proposes it where another admin has to confirm."""
    activated = uses.governing.activate_policy(who, name, body.text)
    return {
        "policy": name,
        "version": activated.version,
        "differences": list(activated.differences),
        "change": activated.change,
        "automatic_refunds": activated.automatic_refunds,
    }


@routes.post("/policies/versions/{version}/confirm")
def confirm_policy(who: Who, uses: Uses, version: Id, body: bodies.Nothing) -> Shown:
    """Confirms a version by its hash."""
    return {"version": uses.governing.confirm_policy(who, version)}


@routes.get("/actions")
def actions(who: Who, uses: Uses) -> Shown:
    """Where acting is stopped."""
    return uses.overview.stops(who)


@routes.post("/actions")
def flip(who: Who, uses: Uses, body: bodies.Flip) -> Shown:
    """Stops all acting, or lets it go on."""
    turn = uses.switch.on if body.state == "on" else uses.switch.off
    turn(who, body.account)
    return uses.overview.stops(who)


def shown_principal(who: Principal) -> Shown:
    return {
        "id": who.id,
        "name": who.name,
        "role": who.role,
        "user": who.person is not None,
        "accounts": None if who.accounts is None else sorted(who.accounts),
        "limits": [str(each) for each in who.limits],
    }

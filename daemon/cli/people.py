"""`reconciled users` and `tokens`: who may come in. On the installation's machine, on the database, as its owner."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.table import Table

from accounts.money import Money
from daemon.cli import remote
from daemon.cli.refusing import sentences
from daemon.cli.terminal import Failed, now, say, show, show_json, show_table
from daemon.core.approval.principal import OWNER
from daemon.core.policy_sections import amount_in
from daemon.desk.governing import Governing, Invited
from daemon.desk.keyring import Keyring, Made
from daemon.overview import shown_change, shown_token
from daemon.store.people import Person

users = typer.Typer(no_args_is_help=True)
tokens = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Who; the journal uses this name for ever.")]
Accounts = Annotated[
    list[str] | None, typer.Option("--account", help="Only this account; may be given twice.")
]
Limits = Annotated[
    list[str] | None, typer.Option("--limit", help='The most that one vote may reach: "500 EUR".')
]
Role = Annotated[str, typer.Option(help="viewer, analyst, approver, disputes, admin or auditor.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@users.command("add")
def add_user(
    context: typer.Context,
    name: Name,
    role: Role,
    account: Accounts = None,
    limit: Limits = None,
    as_json: AsJson = False,
) -> None:
    """Add a person, and print the link that signs them in once, within 24 hours."""
    with governing(context) as desk:
        invited = desk.add_person(OWNER, name, role, account or (), _amounts(limit or []))
    _show_invited(context, invited, as_json)


@users.command("invite")
def invite_user(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Print a new link for somebody whose link was not used in time, or whose token is lost."""
    with governing(context) as desk:
        invited = desk.invite(OWNER, name)
    _show_invited(context, invited, as_json)


@users.command("change")
def change_user(
    context: typer.Context,
    name: Name,
    role: Annotated[str | None, typer.Option(help="The new role.")] = None,
    account: Accounts = None,
    all_accounts: Annotated[bool, typer.Option("--all-accounts", help="No longer only some.")] = False,
    limit: Limits = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", help="No longer any.")] = False,
) -> None:
    """Change somebody's role, accounts or limits; what is not named stays."""
    accounts = [] if all_accounts else account
    limits = [] if no_limit else (None if limit is None else _amounts(limit))
    with governing(context) as desk:
        change = desk.change_person(OWNER, name, role, accounts, limits)
    _tell(change, f"{name} has these rights now.")


@users.command("disable")
def disable_user(context: typer.Context, name: Name) -> None:
    """Let somebody in no more; their votes on what was not begun count no more either."""
    with governing(context) as desk:
        change = desk.disable_person(OWNER, name)
    _tell(change, f"{name} is disabled.")
    if change is not None:
        say(
            f"Until then their tokens still let them in: `reconciled tokens revoke --user {name}` ends those now."
        )


@users.command("enable")
def enable_user(context: typer.Context, name: Name) -> None:
    """Let somebody in again who was disabled, with the rights that they had."""
    with governing(context) as desk:
        change = desk.enable_person(OWNER, name)
    _tell(change, f"{name} may come in again.")


@users.command("list")
def list_users(context: typer.Context, as_json: AsJson = False) -> None:
    """Show everybody, with what they may do."""
    with governing(context) as desk:
        found = [_person(each) for each in desk.people(OWNER)]
    if as_json:
        show_json({"items": found})
        return
    table = Table("name", "role", "accounts", "limits", "signed in", "", box=None)
    for each in found:
        since = (each["signed_in_at"] or "not yet")[:16].replace("T", " ")
        gone = "disabled" if each["disabled_at"] else ""
        scope = "all" if each["accounts"] is None else ", ".join(each["accounts"])
        table.add_row(each["name"], each["role"], scope, ", ".join(each["limits"]), since, gone)
    show_table(table)


@users.command("changes")
def list_changes(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the changes of people and policies that wait for another admin."""
    with governing(context) as desk:
        found = [shown_change(each) for each in desk.waiting(OWNER)]
    if as_json:
        show_json({"items": found})
        return
    table = Table("id", "about", "what", "proposed by", "at", box=None)
    for each in found:
        change: Any = each["change"]
        at = str(each["proposed_at"])[:16].replace("T", " ")
        table.add_row(
            str(each["id"]), f"{each['kind']} {each['name']}", change["what"], str(each["proposed_by"]), at
        )
    show_table(table)


@users.command("confirm")
def confirm_change(
    context: typer.Context, id: Annotated[str, typer.Argument(help="As `users changes` shows it.")]
) -> None:
    """Confirm a change that another admin has proposed; as the admin who is signed in here."""
    changed = remote.required(context.obj).post(f"/changes/{remote.part(id)}/confirm", {})
    show(f"Confirmed: {changed['change']['what']} {changed['name']}.")


@users.command("withdraw")
def withdraw_change(
    context: typer.Context, id: Annotated[str, typer.Argument(help="As `users changes` shows it.")]
) -> None:
    """End a change that waits, without effect."""
    with governing(context) as desk:
        change = desk.withdraw(OWNER, id)
    show(f"Withdrawn: {change.change['what']} {change.name}.")


@tokens.command("add")
def add_token(
    context: typer.Context,
    name: Name,
    user: Annotated[str | None, typer.Option(help="Whose own it is; it votes as that person.")] = None,
    role: Annotated[
        str | None, typer.Option(help="Of a program: agent, viewer or auditor; it never votes.")
    ] = None,
    account: Accounts = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, and show it this once. One for somebody who has signed in is made in that person's login."""
    if (user is None) == (role is None):
        raise Failed("A token is a person's (--user) or a program's (--role).")
    with keyring(context) as keys:
        if role is not None:
            made = _shown(keys.add_for_program(OWNER, name, role, account or ()))
        elif keys.is_signed_in(user or ""):
            body = {"name": name, "user": user, "accounts": account or []}
            made = remote.required(context.obj).post("/tokens", body)
        else:
            made = _shown(keys.add_for_person(OWNER, name, user or "", account or ()))
    if as_json:
        show_json({key: made[key] for key in ("id", "name", "token", "role", "user", "accounts")})
        return
    say("This is shown once and kept nowhere:")
    show(made["token"])


@tokens.command("list")
def list_tokens(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every token: whose it is, and when it was last used; never the token itself."""
    with keyring(context) as keys:
        found = [shown_token(each) for each in keys.tokens(OWNER)]
        names = keys.names()
    for each in found:
        each["user"] = names.get(str(each["user"]))
    if as_json:
        show_json({"items": found})
        return
    table = Table("name", "of", "accounts", "last used", "", box=None)
    for each in found:
        accounts: Any = each["accounts"]
        used = str(each["used_at"] or "never")[:13].replace("T", " ")
        scope = "all" if accounts is None else ", ".join(accounts)
        gone = "revoked" if each["revoked_at"] else ""
        table.add_row(str(each["name"]), str(each["user"] or each["role"]), scope, used, gone)
    show_table(table)


@tokens.command("revoke")
def revoke_token(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Its name or id.")] = None,
    user: Annotated[str | None, typer.Option(help="All of this person's.")] = None,
) -> None:
    """End a token at once, or all of a person's."""
    if (name is None) == (user is None):
        raise Failed("Name a token, or a person with --user.")
    with keyring(context) as keys:
        ended = [keys.revoke(OWNER, name)] if name is not None else keys.revoke_all(OWNER, user or "")
    show(*(f"Revoked {each.name}." for each in ended))


@contextmanager
def governing(context: typer.Context) -> Iterator[Governing]:
    """The desk's part that is about people and policies, on the database. Refusals become sentences."""
    settings = context.obj.settings()
    with context.obj.store(writing=True) as store, sentences():
        yield Governing(store, now, [each.id for each in settings.accounts], list(settings.policies))


@contextmanager
def keyring(context: typer.Context) -> Iterator[Keyring]:
    settings = context.obj.settings()
    with context.obj.store(writing=True) as store, sentences():
        yield Keyring(store, now, [each.id for each in settings.accounts])


def _show_invited(context: typer.Context, invited: Invited, as_json: bool) -> None:
    person = invited.person
    link = f"{remote.named(context.obj.settings())}/login#{invited.code}"
    if invited.change is not None:
        say(
            f"The link works once another admin has confirmed it: `reconciled users confirm {invited.change}`."
        )
    if as_json:
        show_json({key: value for key, value in _person(person).items() if key in {"id", "name", "role", "accounts"}}
               | {"sign_in_url": link})  # fmt: skip
        return
    say(
        f"{person.name} signs in once with this link, within 24 hours: in a browser, or `reconciled login LINK`."
    )
    show(link)


def _tell(change: str | None, done: str) -> None:
    if change is None:
        show(done)
    else:
        show(f"This waits for another admin: `reconciled users confirm {change}`.")


def _person(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "role": person.role,
        "accounts": None if person.accounts is None else sorted(person.accounts),
        "limits": [str(each) for each in person.limits],
        "signed_in_at": person.signed_in_at.isoformat() if person.signed_in_at else None,
        "disabled_at": person.disabled_at.isoformat() if person.disabled_at else None,
    }


def _shown(made: Made) -> dict[str, Any]:
    user = made.person.name if made.person is not None else None
    return shown_token(made.token) | {"token": made.secret, "user": user}


def _amounts(texts: list[str]) -> list[Money]:
    try:
        return [amount_in(text) for text in texts]
    except ValueError as problem:
        raise Failed(f"--limit: {problem}.") from None

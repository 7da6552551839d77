"""`reconciled erase`: what is personal about a subject goes, for good; that it went is in the journal."""

from typing import Annotated

import typer

from daemon.cli.terminal import Failed, asked, now, say, show
from daemon.core.approval.principal import OWNER
from daemon.store import erasure


def erase(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(help="A customer's id, or that of a case about it.")],
    account: Annotated[str | None, typer.Option(help="Only in this account.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the personal detail that is kept about a subject; the journal still verifies."""
    with context.obj.store(writing=True) as store:
        with store.reading() as session:
            found = erasure.subjects_named(session, subject, account)
        if not found:
            where = f" in {account}" if account else ""
            raise Failed(f"Nothing is known of “{subject[:80]}”{where}: name a customer or a case by its id.")
        if len(found) > 1:
            accounts = ", ".join(each.account for each in found)
            raise Failed(
                f"“{subject[:80]}” is known in several accounts: {accounts}. Name one with --account."
            )
        one = found[0]
        if not yes and not asked(f"Erase what is personal about {one.kind} {one.id} of {one.account}?"):
            say("Nothing was erased.")
            raise typer.Exit(1)
        with store.transaction() as session:
            pieces = erasure.erase(session, one, OWNER.name, now())
    what = f"{pieces} piece{'s' * (pieces != 1)} of personal detail"
    show(f"Erased {what} about {one.kind} {one.id} of {one.account}; the journal says so.")
    say("Copies in backups end with the backups. A request whose text is gone can no longer be carried out.")

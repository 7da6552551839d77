"""`reconciled cases approve` and its like: deciding from a terminal, as the person who is signed in, over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli import remote
from daemon.cli.moments import moment_or_ahead
from daemon.cli.remote import Remote
from daemon.cli.terminal import Failed, asked, say, show, show_json

Case = Annotated[str, typer.Argument(help="Its id.")]
Version = Annotated[
    int | None, typer.Option(min=1, help="Of the proposal; by default the newest that lives.")
]
Note = Annotated[str | None, typer.Option(help="Why; kept encrypted, its digest in the journal.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the case as it is then.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, though somebody sits there.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="One detail: amount=10000. May be given twice.")
]
Details = Annotated[str | None, typer.Option(help="All details as JSON, or @FILE.")]


def approve(
    context: typer.Context,
    case: Case,
    version: Version = None,
    state_hash: Annotated[
        str | None, typer.Option(help="What the world was like; by default as it is shown.")
    ] = None,
    sets: Sets = None,
    details: Details = None,
    note: Note = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Approve exactly the version that is shown; changed details are a new version, and only ever less."""
    daemon, shown = _case(context, case)
    proposal = _proposal(shown, version)
    edited = _edited(proposal, sets, details)
    (say if as_json else show)(*_presented(shown, proposal, edited))
    if not yes and not asked(f"{proposal['effect'].rstrip('?. ')}?"):
        say("Nothing was decided.")
        raise typer.Exit(1)
    body = {
        "version": proposal["version"], "state_hash": state_hash or proposal["state_hash"], "note": note,
        "details": edited,
    }  # fmt: skip
    _done(daemon.post(f"/cases/{remote.part(case)}/approve", body), as_json)


def reject(
    context: typer.Context, case: Case, version: Version = None, note: Note = None, as_json: AsJson = False
) -> None:
    """Reject a version; one no ends it."""
    _vote(context, case, "reject", version, note, as_json)


def request_changes(
    context: typer.Context, case: Case, version: Version = None, note: Note = None, as_json: AsJson = False
) -> None:
    """Send a version back to be edited."""
    _vote(context, case, "request-changes", version, note, as_json)


def revoke(
    context: typer.Context, case: Case, version: Version = None, note: Note = None, as_json: AsJson = False
) -> None:
    """Take an approval back, as long as nothing was begun."""
    _vote(context, case, "revoke", version, note, as_json)


def retry(
    context: typer.Context, case: Case, version: Version = None, note: Note = None, as_json: AsJson = False
) -> None:
    """Let a failed action be tried again, or an unknown one of which it was verified that nothing happened."""
    _vote(context, case, "retry", version, note, as_json)


def withdraw(
    context: typer.Context, case: Case, version: Version = None, note: Note = None, as_json: AsJson = False
) -> None:
    """Take one's own proposal back."""
    _vote(context, case, "withdraw", version, note, as_json)


def edit(
    context: typer.Context,
    case: Case,
    version: Version = None,
    sets: Sets = None,
    details: Details = None,
    justification: Annotated[str | None, typer.Option(help="Why it should be so.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is proposed: a new version; every vote is void, and whoever edits does not decide it alone."""
    daemon, shown = _case(context, case)
    proposal = _proposal(shown, version)
    edited = _edited(proposal, sets, details)
    if edited is None:
        raise Failed("Say what is to be changed: --set amount=10000, or --details.")
    body = {
        "action": proposal["action"], "details": edited, "justification": justification,
        "execution": proposal["execution"], "version": proposal["version"],
    }  # fmt: skip
    _done(daemon.post(f"/cases/{remote.part(case)}/proposals", body), as_json)


def dismiss(
    context: typer.Context,
    case: Case,
    reason: Annotated[str, typer.Option(help="Why it may stand.")],
    until: Annotated[str | None, typer.Option(help="A day or time, or from now: 30d.")] = None,
    as_json: AsJson = False,
) -> None:
    """Accept a disagreement as known, until its facts change or until a day."""
    _act(context, case, "dismiss", {"reason": reason, "until": _ahead(until)}, as_json)


def release(context: typer.Context, case: Case, as_json: AsJson = False) -> None:
    """Show what a rule wants to open and is held back for."""
    _act(context, case, "release", {}, as_json)


def assign(
    context: typer.Context,
    case: Case,
    to: Annotated[str | None, typer.Option(help="Whom; by default yourself.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Free it for others.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a case for a while, give it to somebody, or free it."""
    daemon = remote.required(context.obj)
    whom = None if nobody else to or daemon.get("/me")["name"]
    _done(daemon.post(f"/cases/{remote.part(case)}/assign", {"to": whom}), as_json)


def snooze(
    context: typer.Context,
    case: Case,
    until: Annotated[str | None, typer.Option(help="A day or time, or from now: 3d.")] = None,
    as_json: AsJson = False,
) -> None:
    """Hide a case until then, or until its deadline is near, whichever comes first; without a time it is back."""
    _act(context, case, "snooze", {"until": _ahead(until)}, as_json)


def comment(
    context: typer.Context, case: Case, text: Annotated[str, typer.Argument()], as_json: AsJson = False
) -> None:
    """Add a note for whoever comes next."""
    _act(context, case, "comment", {"text": text}, as_json)


def install(commands: typer.Typer) -> None:
    """Adds these to the `cases` commands."""
    for verb in (approve, reject, edit, withdraw, revoke, retry, dismiss, release, assign, snooze, comment):
        commands.command(verb.__name__)(verb)
    commands.command("request-changes")(request_changes)


def _vote(
    context: typer.Context, case: str, verb: str, version: int | None, note: str | None, as_json: bool
) -> None:
    daemon, shown = _case(context, case)
    body = {"version": version or _proposal(shown, None)["version"], "note": note}
    _done(daemon.post(f"/cases/{remote.part(case)}/{verb}", body), as_json)


def _act(context: typer.Context, case: str, verb: str, body: dict[str, Any], as_json: bool) -> None:
    _done(remote.required(context.obj).post(f"/cases/{remote.part(case)}/{verb}", body), as_json)


def _case(context: typer.Context, case: str) -> tuple[Remote, dict[str, Any]]:
    daemon = remote.required(context.obj)
    return daemon, daemon.get(f"/cases/{remote.part(case)}")


def _proposal(shown: dict[str, Any], version: int | None) -> dict[str, Any]:
    every: list[dict[str, Any]] = shown.get("proposals") or [shown["proposal"]]
    if version is None:
        newest: dict[str, Any] | None = shown.get("proposal")
        if newest is None:
            raise Failed(f"Nothing is proposed on {shown['id']} that could be decided.")
        return newest
    found = next((each for each in every if each and each["version"] == version), None)
    if found is None:
        raise Failed(f"{shown['id']} has no version {version}.")
    return found


def _edited(proposal: dict[str, Any], sets: list[str] | None, details: str | None) -> dict[str, Any] | None:
    """The whole details as they are to be; None where nothing is to be changed."""
    if details is None and not sets:
        return None
    edited = _parsed(details) if details is not None else dict(proposal["details"])
    for each in sets or []:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise Failed(f"“{each[:40]}” is no detail; write --set amount=10000.")
        edited[name] = _value(value)
    return edited


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError):
        raise Failed("--details is a JSON object, or @FILE with one.") from None
    if not isinstance(found, dict):
        raise Failed("--details is a JSON object, or @FILE with one.")
    return found


def _value(text: str) -> Any:
    """A number, true, false or null where it is one; else the text itself."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if found is None or isinstance(found, int | bool) else text


def _ahead(text: str | None) -> str | None:
    """A time to come, as a day, a time, or how long from now. Raises Failed."""
    found = moment_or_ahead(text)
    return found.isoformat() if found is not None else None


def _presented(
    shown: dict[str, Any], proposal: dict[str, Any], edited: dict[str, Any] | None
) -> Iterator[str]:
    """What is approved, as far as a person must know it before they say yes."""
    yield f"{shown['kind']}: {shown['title']}"
    yield proposal["effect"]
    if edited is not None:
        yield "but with " + ", ".join(f"{name} {value}" for name, value in edited.items())
    yield f"version {proposal['version']}, state {proposal['state_hash']}"
    yield f"{proposal['have']} of {proposal['need']} approvals"


def _done(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(shown)
        return
    proposal = shown.get("proposal")
    said = f"; version {proposal['version']} is {proposal['state']}" if proposal else ""
    show(f"{shown['id']} is {shown['state']} ({shown['substate']}){said}.")

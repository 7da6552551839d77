"""`reconciled policy`: validating, showing and trying what counts as a disagreement and who may approve what."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from accounts.errors import Misused
from daemon.cli import activating, trials
from daemon.cli.moments import moment_or_ago
from daemon.cli.terminal import OK, PROBLEMS, Failed, now, say, show, show_json, show_table
from daemon.core.policy import UnusablePolicy, read_policy
from daemon.store import policies
from daemon.trial.backtest import backtest as test_back
from daemon.trial.ground import Trial, open_trial
from daemon.trial.shadow import shadow as cast_shadow

commands = typer.Typer(no_args_is_help=True)

PERIOD = timedelta(days=30)  # of a backtest, unless another one is named

Name = Annotated[str, typer.Argument(help="As [policies] names it.")]
OfName = Annotated[
    str, typer.Option("--name", help="The policy that it would replace, as [policies] names it.")
]
File = Annotated[Path, typer.Argument(help="The policy to try.")]
Accounts = Annotated[
    list[str] | None, typer.Option("--account", help="Only this account; may be given twice.")
]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@commands.command()
def check(context: typer.Context) -> None:
    """Validate every configured policy, and say which version is in force; exits 1 with problems."""
    settings, code = context.obj.settings(), OK
    for name, path in settings.policies.items():
        try:
            version = read_policy(path.read_text("utf-8")).version
        except UnusablePolicy as unusable:
            say(f"{name} ({path}) cannot be used:", *(f"  {problem}" for problem in unusable.problems))
            code = PROBLEMS
        except (OSError, UnicodeDecodeError):
            say(f"{name} ({path}) cannot be read.")
            code = PROBLEMS
        else:
            active = _active(context, name)
            waiting = (
                ""
                if active in (None, version)
                else f"; in force is {active}, so this one waits to be activated"
            )
            show(f"{name}: version {version}{waiting}")
    raise typer.Exit(code)


@commands.command("show")
def show_policy(context: typer.Context, name: Name = "default") -> None:
    """Print the policy in force, or the configured one where none is yet, with its version."""
    settings = context.obj.settings()
    with context.obj.store(writing=True) as store, store.reading() as session:
        active = policies.active(session, name)
    if active is not None:
        show(f"# version {active.hash}, in force", active.text)
        return
    path = settings.policies.get(name)
    if path is None:
        raise Failed(f"There is no policy {name[:60]}; [policies] has: {', '.join(settings.policies)}.")
    text = path.read_text("utf-8")
    show(f"# version {read_policy(text).version}, not in force yet", text)


@commands.command()
def shadow(
    context: typer.Context,
    file: File,
    name: OfName = "default",
    account: Accounts = None,
    as_json: Json = False,
) -> None:
    """Judge everybody by FILE beside the policy in force, and show the cases that would differ now.

    Everybody who is stored is judged from what is stored; nothing is read from outside, and nothing is written. What
    would change anyway, and what people have dismissed, is no difference.
    """
    with _trial(context, file, name, account or ()) as trial:
        found = cast_shadow(trial, now())
    if as_json:
        show_json(trials.shadow_document(trial, found))
        return
    _tell(trials.shadow_cases(found), trials.shadow_rules(found), trials.shadow_sentences(trial, found))


@commands.command()
def backtest(
    context: typer.Context,
    file: File,
    name: OfName = "default",
    account: Accounts = None,
    since: Annotated[
        str | None, typer.Option(help="A day or time, UTC, or 30d ago, which is also what is taken.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="A day or time, UTC, or 1d ago; by default now.")] = None,
    as_json: Json = False,
) -> None:
    """Ask FILE and the policy in force what they call for over a time that has passed, and show where they differ.

    We keep how everything is and when it changed last, not how it was before. So of each customer the time since the
    last change is judged again, exactly: nothing but the clock has moved in it, as when a grace period or a deadline's
    window is another one. Of the time before, only the journal tells which cases stood; those count as “beyond”. Rules
    that concern several customers, what people decided, and the state of accounts are not judged again.
    """
    ends = moment_or_ago(until) or now()
    begins = moment_or_ago(since) or ends - PERIOD
    if begins >= ends:
        raise Misused(
            f"{begins:%Y-%m-%d %H:%M} is not before {ends:%Y-%m-%d %H:%M} UTC: nothing lies between."
        )
    if ends > now():
        raise Misused(f"{ends:%Y-%m-%d %H:%M} UTC is yet to come; a backtest ends now, or earlier.")
    with _trial(context, file, name, account or ()) as trial:
        found = test_back(trial, begins, ends)
    if as_json:
        show_json(trials.backtest_document(trial, found))
        return
    _tell(trials.backtest_cases(found), trials.backtest_rules(found), trials.backtest_sentences(trial, found))


activating.install(commands)


@contextmanager
def _trial(context: typer.Context, file: Path, name: str, accounts: Sequence[str]) -> Iterator[Trial]:
    """Exits 1 with every problem of a file that cannot be used."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise Failed(f"{file} cannot be read.") from None
    with context.obj.store() as store:
        try:
            trial = open_trial(context.obj.settings(), store, name, text, accounts)
        except UnusablePolicy as unusable:
            say(f"{file} cannot be used:", *(f"  {problem}" for problem in unusable.problems))
            raise typer.Exit(PROBLEMS) from None
        yield trial


def _tell(cases: Table, rules: Table, sentences: Iterator[str]) -> None:
    if cases.row_count:
        show_table(cases)
        show("")
    show_table(rules)
    show("", *sentences)


def _active(context: typer.Context, name: str) -> str | None:
    with context.obj.store(writing=True) as store, store.reading() as session:
        found = policies.active(session, name)
    return found.hash if found is not None else None

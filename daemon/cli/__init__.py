"""`reconciled`: the commands. Each calls one verb; what goes wrong becomes one sentence on stderr."""

import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import msgspec
import typer
from typer.exceptions import TyperException

from accounts.configuration import SecretUnreadable
from accounts.errors import WorldError
from accounts.sandbox.client import SandboxUnreachable
from daemon import demo, logs
from daemon import init as initial
from daemon.bench.programs import Broken
from daemon.check import check, text
from daemon.cli import (
    activating,
    callbacks,
    cases,
    database,
    desk,
    diagnosing,
    erasing,
    journal,
    measuring,
    people,
    policy,
    pretend,
    replaying,
    signing,
    stops,
    working,
)
from daemon.cli.terminal import (
    INTERRUPTED,
    OK,
    PROBLEMS,
    UNUSABLE,
    Failed,
    Misused,
    Options,
    say,
    show,
    show_table,
)
from daemon.core.policy import UnusablePolicy
from daemon.replay import NothingToReplay
from daemon.serve import CannotListen
from daemon.settings import Unusable
from daemon.store.errors import StoreError
from daemon.trial.ground import NoTrial

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command("run")(working.run)
app.command("sweep")(working.sweep)
app.command("bench")(measuring.bench)
app.command("replay")(replaying.replay)
app.command("login")(signing.login)
app.command("actions")(stops.actions)
app.command("erase")(erasing.erase)
app.add_typer(cases.commands, name="cases", help="The queue: what stands, the most urgent first.")
app.add_typer(policy.commands, name="policy", help="What counts as a disagreement, and who may approve what.")
app.add_typer(
    journal.commands, name="journal", help="What was decided and done, in a chain that shows tampering."
)
app.add_typer(database.commands, name="db", help="The schema and its backups.")
app.add_typer(people.users, name="users", help="People: who may decide, where, and up to how much.")
app.add_typer(
    people.tokens, name="tokens", help="Tokens: for people's programs, and for programs of their own."
)
app.add_typer(
    callbacks.commands,
    name="callbacks",
    help="What was told outside, by callback and mail, and what was not.",
)
desk.install(cases.commands)
activating.install(policy.commands)
app.add_typer(pretend.commands, name="sandbox", help="The pretend world: incidents to rehearse.")

# What went wrong outside of us; the message says it to a person.
SENTENCES = (
    WorldError, StoreError, SecretUnreadable, UnusablePolicy, SandboxUnreachable, CannotListen, initial.Exists, NoTrial,
    NothingToReplay, Failed, Broken,
)  # fmt: skip


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[Path, typer.Option(envvar="RECONCILED_CONFIG", help="The configuration.")] = Path(
        "reconciled.toml"
    ),
    log_format: Annotated[
        Literal["json", "console"], typer.Option(help="How logs are written to stderr.")
    ] = "console",
) -> None:
    """One queue for several Stripe accounts: disagreements, deadlines and refunds, decided by people."""
    logs.configure(
        log_format, level=logging.WARNING
    )  # a command's own lines say what it did; a daemon says more
    context.obj = Options(config, log_format)


@app.command("init")
def init_command(context: typer.Context) -> None:
    """Write a commented configuration, a policy and a key; nothing is overwritten."""
    for path in initial.write_examples(context.obj.config):
        show(f"wrote {path}")
    show("Next: add your accounts, then run `reconciled check`.")


@app.command("check")
def check_command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    live: Annotated[
        bool, typer.Option(help="Ask the running daemon instead, as its runbooks would.")
    ] = False,
) -> None:
    """Say what is missing, all of it at once, and what to do: keys, permissions, sources, webhooks, database."""
    if live:
        raise typer.Exit(diagnosing.diagnose(context.obj.settings(), as_json=as_json))
    report = check(context.obj.settings())
    if as_json:
        show(msgspec.json.format(msgspec.json.encode({"ok": report.ok} | asdict(report))).decode())
    else:
        show(*text.lines(report))
    raise typer.Exit(OK if report.ok else PROBLEMS)


@app.command("demo")
def demo_command(
    once: Annotated[bool, typer.Option("--once", help="Show the tables and end.")] = False,
    port: Annotated[int, typer.Option(help="Where the daemon listens.", min=1, max=65535)] = 8787,
    accounts: Annotated[int, typer.Option(help="How many pretend accounts.", min=1, max=1000)] = 3,
    customers: Annotated[int, typer.Option(help="How many customers in each.", min=1, max=100_000)] = 50,
    seed: Annotated[int, typer.Option(help="Another number, another world.")] = 7,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where its configuration is written.")] = None,
) -> None:
    """A pretend Stripe, CRM and product, and the daemon that finds what is wrong in them. No keys, no network."""
    wish = demo.Wish(once, port, accounts, customers, seed, folder)
    demo.run(wish, show, lambda items: show_table(cases.table(items)))


def main() -> NoReturn:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """One command; its exit code. No traceback reaches the user, every traceback reaches a file."""
    try:
        return app(arguments, standalone_mode=False) or OK
    except Unusable as error:
        say(f"{error.path} cannot be used:", *(f"  {problem}" for problem in error.problems))
        return UNUSABLE
    except Misused as error:
        say(str(error))
        return UNUSABLE
    except SENTENCES as error:
        say(str(error))
        return PROBLEMS
    except TyperException as error:
        sentence = getattr(error, "format_message", error.__str__)()
        say(f"{sentence} `reconciled --help` lists the commands and their options.")
        return UNUSABLE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return PROBLEMS  # whoever read our output has seen enough
    except Exception as error:
        path = logs.record_crash(Path(typer.get_app_dir("reconciled")))
        where = f"; what happened is in {path}" if path else ""
        say(f"This is a fault in reconciled ({type(error).__name__}){where}. Please report it.")
        return PROBLEMS

"""The commands: what each is called, what it is for and where it is; and what goes wrong, as one sentence on stderr."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from accounts.errors import Explained, Misused
from daemon.cli.late import INTERRUPTED, imported
from daemon.cli.terminal import OK, PROBLEMS, UNUSABLE, say


@dataclass(frozen=True, slots=True)
class Command:
    """One command, or a group of them."""

    name: str
    module: str  # of this folder
    attribute: str  # in it: a function, or what a group's functions are registered with
    sentence: str  # what it is for; of a function, how its documentation begins


COMMANDS = (
    Command(
        "demo", "showing", "demo",
        "A pretend Stripe, CRM and product, and the daemon that finds what is wrong in them. No keys, no network.",
    ),
    Command(
        "init", "beginning", "init",
        "Write a commented configuration, a policy and a key; nothing is overwritten.",
    ),
    Command(
        "check", "checking", "check",
        "Say what is missing, all of it at once, and what to do: keys, permissions, sources, webhooks, database.",
    ),
    Command("run", "working", "run", "Run the daemon."),
    Command("sweep", "working", "sweep", "Read everything again now, and judge it."),
    Command("replay", "replaying", "replay", "Look again, at the present state."),
    Command("cases", "cases", "commands", "The queue: what stands, the most urgent first."),
    Command("journal", "journal", "commands", "What was decided and done, in a chain that shows tampering."),
    Command("policy", "policy", "commands", "What counts as a disagreement, and who may approve what."),
    Command("actions", "stops", "actions", "Stop all acting at once, or let it go on."),
    Command(
        "erase", "erasing", "erase",
        "Remove the personal detail that is kept about a subject; the journal still verifies.",
    ),
    Command(
        "callbacks", "callbacks", "commands", "What was told outside, by callback and mail, and what was not.",
    ),
    Command("users", "people", "users", "People: who may decide, where, and up to how much."),
    Command("tokens", "people", "tokens", "Tokens: for people's programs, and for programs of their own."),
    Command(
        "login", "signing", "login",
        "Redeem a one-time sign-in link for a token of your own, kept where only you can read it; or say who you are.",
    ),
    Command("db", "database", "commands", "The schema and its backups."),
    Command("sandbox", "pretend", "commands", "The pretend world: incidents to rehearse."),
    Command(
        "bench", "measuring", "bench", "Measure on SQLite, and on PostgreSQL where one is named, against the sandbox.",
    ),
)  # fmt: skip


class Late(TyperGroup):
    """Lists the commands by their sentences, and takes the one that is called from its module."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and whole(name), rest


app = typer.Typer(
    cls=Late,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _uncalled() -> None:
    """Stands for a command in the list of them."""


for each in COMMANDS:
    app.command(each.name, short_help=each.sentence)(_uncalled)


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
    context.obj = imported("options").taken(config, log_format)


def whole(name: str) -> Any:
    """A command with its options, or a group with its commands, as typer runs it."""
    known = next(each for each in COMMANDS if each.name == name)
    found = getattr(imported(known.module), known.attribute)
    holder = typer.Typer(rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name, help=known.sentence)
    else:
        holder.command(name)(found)
    return typer.main.get_group(holder).commands[name]


def run(arguments: list[str]) -> int:
    """One command; its exit code. No traceback reaches the user, every traceback reaches a file."""
    try:
        return app(arguments, standalone_mode=False) or OK
    except Misused as error:
        say(str(error))
        return UNUSABLE
    except Explained as error:
        say(str(error))
        return PROBLEMS
    except TyperException as error:
        sentence = getattr(error, "format_message", error.__str__)().replace(
            "Value error, ", ""
        )  # pydantic's
        say(f"{sentence} `reconciled --help` lists the commands and their options.")
        return UNUSABLE
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return PROBLEMS  # whoever read our output has seen enough
    except Exception as error:
        say(imported("fault").recorded(error))
        return PROBLEMS

"""`reconciled policy`: validating and showing what counts as a disagreement and who may approve what."""

from typing import Annotated

import typer

from daemon.cli.terminal import OK, PROBLEMS, Failed, say, show
from daemon.core.policy import UnusablePolicy, read_policy
from daemon.store import policies

commands = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="As [policies] names it.")]


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


def _active(context: typer.Context, name: str) -> str | None:
    with context.obj.store(writing=True) as store, store.reading() as session:
        found = policies.active(session, name)
    return found.hash if found is not None else None

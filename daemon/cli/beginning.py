"""`reconciled init`: the first files of an installation."""

import typer

from daemon import init as files
from daemon.cli.terminal import show


def init(context: typer.Context) -> None:
    """Write a commented configuration, a policy and a key; nothing is overwritten."""
    for path in files.write_examples(context.obj.config):
        show(f"wrote {path}")
    show("Next: add your accounts, then run `reconciled check`.")

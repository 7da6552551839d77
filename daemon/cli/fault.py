"""A fault of ours: a sentence for the user, and the traceback in a file for whoever mends it."""

from pathlib import Path

import typer

from daemon import logs


def recorded(error: Exception) -> str:
    """Writes down the error that is being handled; gives the sentence."""
    path = logs.record_crash(Path(typer.get_app_dir("reconciled")))
    where = f"; what happened is in {path}" if path else ""
    return f"This is a fault in reconciled ({type(error).__name__}){where}. Please report it."

"""The one place where anything is imported late: a module of this folder, once its command is called.

Whoever types `reconciled actions off` at three in the morning waits for that command's modules, and not for the web
framework and the pretend world as well. Everywhere else imports stand at the top of a file. This file needs few itself,
because until it is read Ctrl-C is Python's.
"""

import importlib
import os
import signal
import threading
from types import ModuleType

INTERRUPTED = 130  # as shells say it: 128, and the number of the signal


def imported(name: str) -> ModuleType:
    """The module of this name in this folder. Ctrl-C meanwhile ends the process: nothing was begun yet.

    As a KeyboardInterrupt it would come out of whatever is being imported, and where that is in a callback of the
    import system, Python prints a traceback and goes on.
    """
    # Who started us may have it ignored, as nohup does, or take it themselves.
    in_main = threading.current_thread() is threading.main_thread()
    ours = in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _leave)
    try:
        return importlib.import_module(f"daemon.cli.{name}")
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)

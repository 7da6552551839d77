"""A thread that ends by itself ends the process with a code; a signal ends it in order."""

import os
import signal
import subprocess
import sys
import threading

from structlog.testing import capture_logs

from daemon.engine.supervisor import BROKEN, OK, Supervisor

PATIENCE_S = 10.0


def test_a_thread_that_dies_takes_the_process_down_and_is_named() -> None:
    supervisor = Supervisor()

    def run() -> None:
        raise ZeroDivisionError("a bug")

    with capture_logs() as lines:
        supervisor.start("clock", run)
        code = supervisor.wait()
    assert code == BROKEN
    assert supervisor.stop.is_set()
    assert supervisor.died == "clock"
    assert [line["event"] for line in lines][:2] == ["thread_died", "thread_ended_too_early"]
    assert supervisor.join(PATIENCE_S) == []
    supervisor.close()


def test_a_thread_that_returns_before_its_time_is_a_death_too() -> None:
    supervisor = Supervisor()
    supervisor.start("receiver", lambda: None)
    assert supervisor.wait() == BROKEN
    supervisor.close()


def test_a_signal_stops_in_order_and_another_reloads_first() -> None:
    supervisor = Supervisor()
    reloads: list[int] = []
    ended = threading.Event()

    def run() -> None:
        supervisor.stop.wait(PATIENCE_S)
        ended.set()

    def reload() -> None:
        reloads.append(1)
        os.kill(os.getpid(), signal.SIGTERM)

    supervisor.start("clock", run)
    threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGHUP)).start()
    assert supervisor.wait(reload) == OK
    assert supervisor.join(PATIENCE_S) == []
    assert ended.is_set()
    assert reloads == [1]
    supervisor.close()


def test_the_exit_code_of_a_process_whose_thread_died_says_so() -> None:
    program = (
        "import sys\n"
        "from daemon.engine.supervisor import Supervisor\n"
        "supervisor = Supervisor()\n"
        "supervisor.start('clock', lambda: 1 / 0)\n"
        "sys.exit(supervisor.wait())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == BROKEN
    assert "ZeroDivisionError" in done.stdout + done.stderr

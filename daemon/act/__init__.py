"""Does what was approved, once: claim, look again, persist the intent, call, write down what came of it."""

from daemon.act.executor import ACT, Executor
from daemon.act.grounds import Grounds

__all__ = ["ACT", "Executor", "Grounds"]

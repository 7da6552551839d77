"""The Cheqpoint-compatible gate: its client works against us unchanged, and executes by itself what people approve."""

from daemon.faces.gate.app import Services, create
from daemon.faces.gate.names import Names

__all__ = ["Names", "Services", "create"]

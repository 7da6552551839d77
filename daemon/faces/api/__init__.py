"""The HTTP API under /api/v1: JSON in, JSON or problem+json out, described at /openapi.json."""

from daemon.faces.api.app import create
from daemon.faces.api.services import Services

__all__ = ["Services", "create"]

"""A real PostgreSQL for the commands that share one."""

from tests.store.conftest import postgres_template, server

__all__ = ["postgres_template", "server"]

"""Every test that asks for `store` runs twice: on SQLite and on PostgreSQL."""

from tests.store.conftest import postgres_template, server, sqlite_template, store, url

__all__ = ["postgres_template", "server", "sqlite_template", "store", "url"]

"""Every test that asks for `store` or `url` runs twice: on SQLite and on PostgreSQL."""

from tests.store.conftest import empty_url, postgres_template, server, sqlite_template, store, url

__all__ = ["empty_url", "postgres_template", "server", "sqlite_template", "store", "url"]

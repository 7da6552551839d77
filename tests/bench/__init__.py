"""The measurements of a checkout: on SQLite, and on a PostgreSQL server that is started for them."""

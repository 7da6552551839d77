"""Everything the daemon remembers, on SQLite or PostgreSQL, and every query it asks."""

"""Receiving webhooks: what is taken, what is refused, and what is never lost."""

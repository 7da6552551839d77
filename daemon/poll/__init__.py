"""Polling: an account's events are read too, whether or not webhooks bring them."""

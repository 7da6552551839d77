"""Tests of what can be done to the world: each action against a pretend Stripe, CRM, product and mail server."""

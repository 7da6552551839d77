"""A stateful pretend Stripe, CRM and product over real HTTP: the demo and the tests run on it."""

"""The world outside: Stripe's shapes, answers, limits and identity, by hand and against the sandbox."""

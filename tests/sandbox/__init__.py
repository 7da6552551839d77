"""The pretend world, tested as a Stripe that could be trusted."""

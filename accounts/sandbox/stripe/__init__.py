"""What the pretend Stripe does, one file per family of objects."""

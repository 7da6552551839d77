"""What the daemon tells Prometheus. A leaf: it imports nothing of ours."""

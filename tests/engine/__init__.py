"""The runner, the clock and the supervisor."""

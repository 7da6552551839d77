"""The configuration: what is taken, what is refused, and in which words."""

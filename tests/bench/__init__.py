"""Repeatable measurements: what is fast, in proportion to the same work without us, and what stays small."""

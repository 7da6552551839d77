"""Repeatable measurements: what is fast, in proportion to the least that does the same, and what stays small."""

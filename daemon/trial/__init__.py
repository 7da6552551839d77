"""Trying a policy without putting it in force: what it would change now, and what it would have said of the past.

Nothing is read from outside here, and nothing is written.
"""

"""The desk: who may decide what, and what becomes of it when many decide at once."""

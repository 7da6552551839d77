"""Tests tell stories: they assert the state of the world afterwards, not which calls were made."""

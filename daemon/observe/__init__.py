"""Observing: from marked addresses to the facts of their subjects, with what could not be read."""

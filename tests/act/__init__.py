"""Acting: what is approved is done once, or not at all, whatever dies or goes wrong next to it."""

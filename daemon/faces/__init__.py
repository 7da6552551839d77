"""The faces: what speaks to people and programs. Each is thin: it asks the desk and the views, and never the store."""

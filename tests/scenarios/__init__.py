"""One file per rule: what opens its case, what almost does, and how it ends."""

"""Judgement and the loop: what should be true, what is, and what people decided about the difference."""

"""How the pretend world is filled: what happens to customers, and which disagreements and near misses are planted."""

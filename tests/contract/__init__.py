"""One contract for every connector, run over all of them."""

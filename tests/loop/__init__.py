"""The loop on the pretend world: what is read, what is judged, what then stands."""

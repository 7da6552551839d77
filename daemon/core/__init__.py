"""Pure decisions: no clock, no network, no disk. `now` is an argument."""

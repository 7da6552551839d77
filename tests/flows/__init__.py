"""Polls, sweeps, passes over records, replays."""

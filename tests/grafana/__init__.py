"""Dashboards, alerts and runbooks: executed, not only read."""

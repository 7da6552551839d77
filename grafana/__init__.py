"""What the SREs look at: dashboards, recording rules, alerts and runbooks, generated from the code in `generate`."""

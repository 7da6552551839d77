"""The dashboards and rules as code: `make grafana` writes them, and a test says when they are out of date."""

"""Where the links lead: the daemon's public address, where runbooks are read, and the uids of the dashboards."""

import os
from typing import Final

PUBLIC_URL: Final = os.environ.get("PUBLIC_URL", "https://reconciled.example.com").rstrip("/")
RUNBOOKS: Final = os.environ.get("RUNBOOKS", f"{PUBLIC_URL}/runbooks").rstrip("/")
GRAFANA_URL: Final = os.environ.get("GRAFANA_URL", "https://grafana.example.com").rstrip("/")

OVERVIEW: Final = "reconciled-overview"
ACCOUNTS: Final = "reconciled-accounts"
CASES: Final = "reconciled-cases"
INTERNALS: Final = "reconciled-internals"

"""`reconciled check` against accounts in every bad state."""

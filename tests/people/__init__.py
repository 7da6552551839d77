"""Who may come in: people, tokens, changes that wait, the kill switch."""

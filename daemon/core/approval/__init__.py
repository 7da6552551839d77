"""Who may decide what: roles, votes, limits and the life of a proposal, as pure functions."""

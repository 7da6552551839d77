"""Drafts: what a person is offered to send, to write down or to submit, from approved wording and facts alone."""

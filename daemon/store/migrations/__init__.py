"""How the schema came to be what it is, revision by revision. A revision that was released is never edited."""

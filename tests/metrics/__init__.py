"""What a scrape shows: state from the database, flow from the process, and how much of it there is."""

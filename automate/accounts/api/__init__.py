"""Who calls the API, and what they may do."""

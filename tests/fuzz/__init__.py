"""Whatever the description of the API permits, and more, sent to a real server."""

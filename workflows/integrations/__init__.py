"""Other platforms: what is read from them and what it becomes here."""

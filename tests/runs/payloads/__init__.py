"""The payload store, under runs and by itself."""

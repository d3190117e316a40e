"""Signing in: failures are counted and, when there are too many, nobody may try."""

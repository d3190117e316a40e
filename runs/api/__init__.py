"""Runs for programs: look up, follow, cancel, redrive."""

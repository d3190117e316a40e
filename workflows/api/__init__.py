"""Workflows, secrets and connections for programs: make, read, change, publish."""

"""n8n: its exported workflows become documents, its API is read.

`convert` and all below it are pure: from JSON trees to documents and reports.
"""

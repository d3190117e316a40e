"""Workflows of n8n: imported, published, run, and compared with what n8n does."""

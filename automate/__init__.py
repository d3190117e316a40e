"""Automate: self-hosted workflow automation in one Django project."""

__version__ = "0.1.0"

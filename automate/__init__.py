"""Automate: self-hosted workflow automation in one Django project."""

__version__ = "0.2.0.dev0"

"""Step kind `email`: a message through the mail server of the settings."""

from workflows.actions.email.action import Email

__all__ = ["Email"]

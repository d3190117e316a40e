"""Webhooks for programs: make one, rotate its secret, send it a test event."""

"""Tides for Automate."""

from datetime import timedelta

PERIOD = timedelta(hours=12, minutes=25, seconds=14)  # from one high water to the next

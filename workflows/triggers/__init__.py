"""Trigger kinds: one module each, registered by a decorator; see `base.py`."""

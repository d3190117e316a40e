"""How many sign-ins may fail, and for how long nobody may try then."""

from __future__ import annotations

from datetime import timedelta

OF_ACCOUNT = 10  # failures of one account from one address
OF_ADDRESS = 100  # failures from one address, whatever the accounts
COOL_OFF = timedelta(minutes=15)  # since the last failure that was counted

"""Who may do what: users, teams, API keys, and the audit of their changes."""

from automate.accounts.models.api_key import ApiKey, Scope
from automate.accounts.models.audit import AuditEntry
from automate.accounts.models.failed_sign_in import FailedSignIn
from automate.accounts.models.identity import Identity
from automate.accounts.models.rate_window import RateWindow
from automate.accounts.models.second_factor import SecondFactor
from automate.accounts.models.sign_in import SignIn
from automate.accounts.models.team import Team
from automate.accounts.models.user import User

__all__ = [
    "ApiKey",
    "AuditEntry",
    "FailedSignIn",
    "Identity",
    "RateWindow",
    "Scope",
    "SecondFactor",
    "SignIn",
    "Team",
    "User",
]

"""Failed sign-ins, as django-axes counts them."""

from __future__ import annotations

from axes.models import AccessAttempt


class FailedSignIn(AccessAttempt):  # type: ignore[misc] # it has no types
    """How often an account was tried in vain from one address with one browser.

    A row is not history: it goes 15 minutes after its last failure, or when somebody
    signs in. `username` need not be anybody's.
    """

    class Meta:
        proxy = True
        verbose_name = "failed sign-in"
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return f"{self.username} from {self.ip_address}"

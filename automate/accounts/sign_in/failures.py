"""When too many sign-ins have failed: the rules, counted in the database by axes.

Whoever asks `django.contrib.auth.authenticate(request, username=..., password=...)`
is counted; nothing else is needed to share these rules.
"""

from __future__ import annotations

import ipaddress
import logging
from datetime import datetime
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.signals import user_locked_out
from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet, Sum
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from automate.accounts import audit
from automate.accounts.models import FailedSignIn, User
from automate.accounts.sign_in.limits import COOL_OFF, OF_ACCOUNT, OF_ADDRESS
from automate.lib.proxies import source_ip

logger = logging.getLogger(__name__)

NOBODY = "(no e-mail address)"
LONGEST = 254  # an e-mail address (RFC 5321, 4.5.3.1)


def account_of(request: HttpRequest, credentials: Any = None) -> str:
    """The account that somebody tries, in lower case; it need not exist.

    What is no e-mail address counts as one account and is not written down: people
    type passwords into the wrong field.
    """
    given = credentials or request.POST
    typed = given.get("username") or given.get("email") or ""
    name = str(typed).strip().lower().replace("\0", "")
    return name if "@" in name and len(name) <= LONGEST else NOBODY


def client_address(request: HttpRequest) -> str | None:
    """Who asks, behind our proxies. Of IPv6 the network of 64 bits, which is one
    customer's (RFC 6177) and has room for as many addresses as one likes.
    """
    found = source_ip(
        request.META.get("REMOTE_ADDR", ""),
        request.META.get("HTTP_X_FORWARDED_FOR", ""),
        settings.TRUSTED_PROXIES,
    )
    if found is None or ":" not in found:
        return found
    return str(ipaddress.ip_network(f"{found}/64", strict=False).network_address)


class Failures(AxesDatabaseHandler):  # type: ignore[misc] # it has no types
    """axes' counting in the database, with a second limit for an address as a whole."""

    def get_failures(self, request: Any, credentials: Any = None) -> int:
        """Failures of this account from this address, or a tenth of the address's."""
        from_there = recent().filter(ip_address=request.axes_ip_address)
        of_account = from_there.filter(username=account_of(request, credentials))
        share = OF_ADDRESS // OF_ACCOUNT
        return max(_sum(of_account), _sum(from_there) // share)

    def user_login_failed(
        self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any
    ) -> None:
        """Count it, without what was sent."""
        with transaction.atomic():
            super().user_login_failed(sender, credentials, request, **kwargs)
            if request is not None:
                rows = FailedSignIn.objects.filter(
                    ip_address=request.axes_ip_address,
                    username=account_of(request, credentials),
                )
                rows.update(get_data="", post_data="")


def recent() -> QuerySet[Any]:
    """The failures that count now."""
    since = timezone.now() - COOL_OFF
    rows: QuerySet[Any] = FailedSignIn.objects.filter(attempt_time__gt=since)
    return rows


def locked_until(address: str | None, account: str) -> datetime:
    """When this account may be tried again from there: now, if it may already."""
    from_there = recent().filter(ip_address=address)
    whole = _sum(from_there) >= OF_ADDRESS
    rows = from_there if whole else from_there.filter(username=account)
    last = rows.aggregate(last=Max("attempt_time"))["last"]
    return last + COOL_OFF if last else timezone.now()


def unlock(rows: QuerySet[Any], *, by: User | None, whole_address: bool) -> int:
    """Forget the failures of these accounts, or of their addresses; how many rows."""
    forgotten = 0
    for row in list(rows):
        alike = FailedSignIn.objects.filter(ip_address=row.ip_address)
        if not whole_address:
            alike = alike.filter(username=row.username)
        with transaction.atomic():
            audit.record("signin.unlock", row, by=by)
            forgotten += alike.delete()[0]
    return forgotten


def _sum(rows: QuerySet[Any]) -> int:
    return rows.aggregate(sum=Sum("failures_since_start"))["sum"] or 0


@receiver(user_locked_out, dispatch_uid="automate.sign_in.locked")
def _note(request: Any, username: str, ip_address: str | None, **_: Any) -> None:
    """The failure that locks goes into the audit and the log, the tries after it not.

    Whether the account exists is not asked, so that it takes as long for all.
    """
    if request.axes_failures_since_start is None:
        return
    minutes = COOL_OFF.total_seconds() / 60
    logger.warning(
        "sign-ins from %s are refused for %.0f minutes: too many failures",
        ip_address,
        minutes,
    )
    rows = recent().filter(ip_address=ip_address, username=username)
    row = rows.order_by("-attempt_time").first()
    if row is not None:
        audit.record("signin.lock", row, by=None, changes={"minutes": minutes})

"""Signing in at the API: tokens are issued, exchanged, checked and ended here.

A sign-in is a row; an access token names it and is good for minutes, a refresh token
names it and its number and is good once (RFC 9700, section 4.14.2). Every use of
either asks the row, so both end at once with it, with the password, and with the
account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from automate.accounts import audit
from automate.accounts.models import SignIn, User
from automate.accounts.models.sign_in import stamp_of
from automate.lib import tokens
from automate.lib.database import write_transaction
from automate.lib.tokens import BadToken, Kind

ACCESS = 15 * 60  # seconds
WHOLE = timedelta(days=30)  # since the password was given


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets; `expires_in` is the access token's, in seconds."""

    access: str
    refresh: str
    expires_in: int = ACCESS


def begin(user: User, *, with_second_factor: bool) -> tuple[SignIn, Tokens]:
    """A new sign-in of somebody who has just proven who they are."""
    with write_transaction():
        row = SignIn.objects.create(
            user=user,
            password_stamp=stamp_of(user),
            with_second_factor=with_second_factor,
            expires_at=timezone.now() + WHOLE,
        )
    return row, _tokens(row)


def of_access(text: str) -> SignIn:
    """The sign-in, with its user, of an access token. One query. Raises BadToken."""
    return _live(tokens.read(Kind.ACCESS, text))


def refreshed(text: str) -> tuple[SignIn, Tokens]:
    """New tokens for a refresh token, which is void then. Raises BadToken.

    One that was used before is in two hands: the sign-in ends, whoever asks.
    """
    claims = tokens.read(Kind.REFRESH, text)
    row = _live(claims)
    used = claims.get("gen")
    if used == row.generation:
        with write_transaction():
            mine = SignIn.objects.filter(pk=row.pk, generation=used, ended_at=None)
            if mine.update(generation=F("generation") + 1, refreshed_at=timezone.now()):
                row.generation += 1
                return row, _tokens(row)
    with write_transaction():
        if _end(row):
            audit.record("signin.reuse", row, by=None, changes={"generation": used})
    raise BadToken("this refresh token was used before, so the sign-in has ended")


def end(text: str) -> bool:
    """End the sign-in of an access or refresh token; whether it was live."""
    for kind in (Kind.REFRESH, Kind.ACCESS):
        try:
            row = _live(tokens.read(kind, text))
        except BadToken:
            continue
        return _end(row)
    return False


def _live(claims: dict[str, Any]) -> SignIn:
    row = SignIn.objects.live().filter(pk=UUID(claims["sid"])).first()
    if row is None or not row.still_holds:
        raise BadToken("its sign-in has ended")
    return row


def _end(row: SignIn) -> bool:
    rows = SignIn.objects.filter(pk=row.pk, ended_at=None)
    with write_transaction():
        return rows.update(ended_at=timezone.now()) == 1


def _tokens(row: SignIn) -> Tokens:
    left = row.expires_at - timezone.now()
    seconds = max(1, int(left.total_seconds()))
    named = {"sub": str(row.user_id), "sid": str(row.pk)}
    return Tokens(
        access=tokens.issue(Kind.ACCESS, named, min(ACCESS, seconds)),
        refresh=tokens.issue(Kind.REFRESH, {**named, "gen": row.generation}, seconds),
        expires_in=min(ACCESS, seconds),
    )

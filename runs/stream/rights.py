"""Whether viewers may still see what they watch: asked again, for all at once.

A check takes a handful of queries however many viewers there are, and makes them one by
one, so that they fit between the looks at runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q, UUIDField, Value
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django_otp import DEVICE_ID_SESSION_KEY

from automate.accounts.models import ApiKey, SignIn, User
from automate.accounts.models.api_key import Scope
from automate.accounts.sign_in import second_factor
from automate.accounts.visibility import visible_to
from workflows.models import Workflow

KEY, SESSION, SIGN_IN = "key", "session", "sign_in"
AT_ONCE = 400  # people whose sight one query asks for: SQLite joins no more selects


@dataclass(frozen=True, slots=True)
class Grant:
    """That somebody may watch something, and by what.

    `kind` is run or workflow, `key` its id; `by` is KEY, SESSION or SIGN_IN and
    `credential` the id of the key or of the sign-in, or the session's key. `workflow`
    is the one whose team decides.
    """

    user: UUID
    by: str
    credential: str
    kind: str
    key: UUID
    workflow: UUID

    @property
    def who(self) -> tuple[str, str]:
        """Whose viewers are counted together: a key's, or a person's."""
        return (KEY, self.credential) if self.by == KEY else ("user", str(self.user))


class Recheck:
    """One look at the rights of these grants, query by query; `lost` are those gone."""

    def __init__(self, grants: Collection[Grant]) -> None:
        self.lost: set[Grant] = set()
        self._grants = set(grants)
        self._users: dict[UUID, User] = {}
        self._sessions: dict[str, Session] = {}
        self._seen: set[tuple[UUID, UUID]] = set()
        self._steps = self._queries()

    def step(self) -> bool:
        """Ask one more query. True when that was the last."""
        query = next(self._steps, None)
        if query is not None:
            query()
            return False
        self._keep(lambda one: (one.user, one.workflow) in self._seen)
        return True

    def _queries(self) -> Iterator[Callable[[], None]]:
        if any(one.by == KEY for one in self._grants):
            yield self._ask_keys
        if any(one.by == SESSION for one in self._grants):
            yield self._ask_sessions
        if any(one.by == SIGN_IN for one in self._grants):
            yield self._ask_sign_ins
        if any(one.by != KEY for one in self._grants):
            yield self._ask_people
        wanted: dict[UUID, set[UUID]] = {}
        for one in self._grants:
            wanted.setdefault(one.user, set()).add(one.workflow)
        people = iter(wanted.items())
        while some := list(islice(people, AT_ONCE)):
            yield lambda some=some: self._ask_sight(some)  # type: ignore[misc]

    def _keep(self, holds: Callable[[Grant], bool], by: str = "") -> None:
        """Drop the grants, of this kind if one is named, of which it does not hold."""
        gone = {one for one in self._grants if by in ("", one.by) and not holds(one)}
        self._grants -= gone
        self.lost |= gone

    def _ask_keys(self) -> None:
        ids = {UUID(one.credential) for one in self._grants if one.by == KEY}
        rows = ApiKey.objects.usable().select_related("user").filter(pk__in=ids)
        keys = {str(row.pk): row for row in rows if row.allows(Scope.RUNS_READ)}
        self._users.update({row.user.pk: row.user for row in keys.values()})
        self._keep(lambda one: one.credential in keys, KEY)

    def _ask_sessions(self) -> None:
        wanted = {one.credential for one in self._grants if one.by == SESSION}
        rows = Session.objects.filter(pk__in=wanted, expire_date__gt=timezone.now())
        self._sessions = {row.pk: row for row in rows}
        self._keep(lambda one: one.credential in self._sessions, SESSION)

    def _ask_sign_ins(self) -> None:
        wanted = {UUID(one.credential) for one in self._grants if one.by == SIGN_IN}
        rows = SignIn.objects.live().filter(pk__in=wanted)
        live = {str(row.pk) for row in rows if row.still_holds}
        self._keep(lambda one: one.credential in live, SIGN_IN)

    def _ask_people(self) -> None:
        wanted = {one.user for one in self._grants if one.by != KEY}
        rows = User.objects.filter(viewers(), pk__in=wanted, is_active=True)
        people = {row.pk: row for row in rows}
        self._users.update(people)
        self._keep(lambda one: one.by == KEY or one.user in people)
        self._keep(
            lambda one: holds(
                self._sessions[one.credential].get_decoded(), people[one.user]
            ),
            SESSION,
        )

    def _ask_sight(self, wanted: Iterable[tuple[UUID, set[UUID]]]) -> None:
        first, *others = [
            Workflow.objects.filter(visible_to(self._users[user]), pk__in=workflows)
            .order_by()
            .annotate(viewer=Value(user, output_field=UUIDField()))
            .values_list("viewer", "pk")
            for user, workflows in wanted
        ]
        self._seen.update(first.union(*others, all=True) if others else first)


def viewers() -> Q:
    """People whose role lets them see runs in the admin."""
    mine = Q(user=OuterRef("pk")) | Q(group__user=OuterRef("pk"))
    view = Permission.objects.filter(
        mine, content_type__app_label="runs", codename="view_run"
    )
    return Q(is_superuser=True) | Q(Exists(view))


def holds(session: dict[str, Any], user: User) -> bool:
    """Whether this is a session of the person as they are now, entirely signed in."""
    if session.get(SESSION_KEY) != str(user.pk) or not user.is_staff:
        return False
    hashed = session.get(HASH_SESSION_KEY, "")
    if not constant_time_compare(hashed, user.get_session_auth_hash()):
        return False
    if user.second_factor_since is None:
        return not second_factor.is_missing(user)
    return DEVICE_ID_SESSION_KEY in session

"""Who am I?"""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from automate.accounts.api import answers
from automate.accounts.api.callers import user_of
from automate.accounts.api.permissions import SIGNED_IN
from automate.accounts.models import User
from automate.lib.rest.described import described
from automate.lib.rest.strict import StrictQuery


class Me(APIView):
    """The person whose token or key this is."""

    scopes: ClassVar = {"GET": SIGNED_IN}

    @described("get_me", {200: answers.Person}, query=StrictQuery)
    def get(self, request: Request) -> Response:
        """`{"id", "email", "name", "role", "teams", "created_at"}`."""
        StrictQuery.read_query(request)
        return Response(person(user_of(request)))


def person(user: User) -> dict[str, Any]:
    """A person as the API shows them. Two queries."""
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "teams": list(user.teams.order_by("name").values("id", "name", "slug")),
        "created_at": user.date_joined,
    }

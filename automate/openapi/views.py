"""The description of the API, for programs."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from automate.lib.errors import JSON
from automate.lib.rest.described import described
from automate.lib.rest.strict import StrictQuery
from automate.openapi.document import text

DOCUMENT = {"type": "object", "required": ["openapi", "info", "paths"]}


class Description(APIView):
    """This description (OpenAPI 3.1), open to everybody."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @described("describe_api", {200: DOCUMENT}, query=StrictQuery)
    def get(self, request: Request) -> HttpResponse:
        """The document."""
        StrictQuery.read_query(request)
        return HttpResponse(text(), content_type=JSON)

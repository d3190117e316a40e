"""`/docs`: the reference of the API for people, all of it from this site."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe


@csrf_exempt
@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """Open to everybody, as the description is."""
    return render(request, "reference.html")

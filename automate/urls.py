"""All addresses of the site."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

import runs.api.urls
from automate import health
from automate.api import Root

api: list[URLPattern | URLResolver] = [
    path("", Root.as_view(), name="root"),
    *runs.api.urls.urlpatterns,
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(url="/admin/"), name="home"),
    path("api/v1/", include((api, "api"))),
    path("", include("webhooks.urls")),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("health", health.readyz, name="health"),
]

handler400 = "automate.api.bad_request"
handler403 = "automate.api.forbidden"
handler404 = "automate.api.not_found"
handler500 = "automate.api.server_error"

"""All addresses of the site."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

import runs.api.urls
from automate import health
from automate.admin import site
from automate.api import Root

api: list[URLPattern | URLResolver] = [
    path("", Root.as_view(), name="root"),
    *runs.api.urls.urlpatterns,
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", site.urls),
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

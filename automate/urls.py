"""All addresses of the site."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

import automate.accounts.api.urls
import runs.api.urls
import webhooks.api.urls
import workflows.api.urls
from automate import health
from automate.admin import site
from automate.api import Root
from automate.openapi.page import reference
from automate.openapi.views import Description

api: list[URLPattern | URLResolver] = [
    path("", Root.as_view(), name="root"),
    path("openapi.json", Description.as_view(), name="openapi"),
    *automate.accounts.api.urls.urlpatterns,
    *workflows.api.urls.urlpatterns,
    *runs.api.urls.urlpatterns,
    *webhooks.api.urls.urlpatterns,
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", site.urls),
    path("api/v1/", include((api, "api"))),
    path("docs", reference, name="docs"),
    path("", include("webhooks.urls")),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("health", health.readyz, name="health"),
]

handler400 = "automate.api.bad_request"
handler403 = "automate.api.forbidden"
handler404 = "automate.api.not_found"
handler500 = "automate.api.server_error"

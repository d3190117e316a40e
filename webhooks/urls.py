"""The addresses of the edge; `/webhook/...` too, because people will type it."""

from django.urls import path

from webhooks.views import WebhookView

# What `webhooks.middleware.EdgeFirst` serves without asking the URL resolver.
PREFIXES = ("/v1/webhooks/", "/webhook/")

view = WebhookView.as_view()

urlpatterns = [
    path("v1/webhooks/<path:address>", view, name="webhook"),
    path("webhook/<path:address>", view),
]

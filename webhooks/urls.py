"""The addresses of the edge; `/webhook/...` too, because people will type it."""

from django.urls import path

from webhooks.views import WebhookView

view = WebhookView.as_view()

urlpatterns = [
    path("v1/webhooks/<path:address>", view, name="webhook"),
    path("webhook/<path:address>", view),
]

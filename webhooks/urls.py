"""The addresses of the edge; `/webhook/...` too, because people will type it."""

from django.urls import path

from runs.addresses import PREFIX
from webhooks.views import ResumeView, WebhookView

view = WebhookView.as_view()
resume = ResumeView.as_view()

# What `webhooks.middleware.EdgeFirst` serves without asking the URL resolver.
PREFIXES = (("/v1/webhooks/", view), ("/webhook/", view), (PREFIX, resume))

urlpatterns = [
    path(f"{PREFIX[1:]}<path:address>", resume, name="resume"),
    path("v1/webhooks/<path:address>", view, name="webhook"),
    path("webhook/<path:address>", view),
]

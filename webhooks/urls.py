"""The addresses of the edge; `/webhook/...` too, because people will type it."""

from django.urls import re_path

from webhooks.views import WebhookView

view = WebhookView.as_view()

# Whatever comes behind is an address, known or not: no other answer tells a stranger
# how addresses look. (`<path:>` takes no line feed and nothing empty.)
urlpatterns = [
    re_path(r"^v1/webhooks/(?P<address>(?s:.*))\Z", view, name="webhook"),
    re_path(r"^webhook/(?P<address>(?s:.*))\Z", view),
]

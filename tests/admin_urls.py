"""The admin alone, for its tests."""

from django.urls import path

from automate.admin import site

urlpatterns = [path("admin/", site.urls)]

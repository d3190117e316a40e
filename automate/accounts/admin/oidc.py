"""Signing in to the admin by an identity provider."""

from __future__ import annotations

from types import ModuleType
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as sign_in
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from automate.accounts.sign_in.errors import NoAccount, ProviderFailed
from automate.accounts.sign_in.matching import person_of

_NEXT = "oidc_next"


class OidcPages:
    """Mixed into the admin site; without the settings these pages do not exist."""

    _next: Any

    @method_decorator(never_cache)
    @method_decorator(require_GET)
    def oidc(self, request: HttpRequest) -> HttpResponse:
        """To the provider."""
        provider = _provider()
        try:
            answer = provider.redirect_to(request, back_address())
        except ProviderFailed:
            return _refused(request, "could not be reached")
        request.session[_NEXT] = self._next(request)
        return cast("HttpResponse", answer)

    @method_decorator(never_cache)
    @method_decorator(require_GET)
    def oidc_back(self, request: HttpRequest) -> HttpResponse:
        """Back from the provider: in, or to the login page with the reason.

        Who has a second factor here is asked for it next, as after a password.
        """
        provider = _provider()
        where = request.session.pop(_NEXT, "") or reverse("admin:index")
        try:
            user = person_of(provider.claims_of(request))
        except ProviderFailed:
            return _refused(request, "failed")
        except NoAccount as error:
            messages.error(request, str(error))
            return redirect("admin:login")
        if not user.is_staff:
            messages.error(request, "Your account may not open this site.")
            return redirect("admin:login")
        sign_in(request, user, "django.contrib.auth.backends.ModelBackend")
        return HttpResponseRedirect(where)


def back_address() -> str:
    """Where the provider sends people back to; it must know this address."""
    return f"{settings.PUBLIC_URL}{reverse('admin:oidc_back')}"


def _provider() -> ModuleType:
    """What speaks to it; authlib takes 15 MB, so only where it is used."""
    if not settings.OIDC_ISSUER:
        raise Http404
    from automate.accounts.sign_in import provider

    return provider


def _refused(request: HttpRequest, what: str) -> HttpResponse:
    text = f"Signing in with {settings.OIDC_NAME} {what}. Try again, or ask an "
    messages.error(request, f"{text}administrator: the log says why.")
    return redirect("admin:login")

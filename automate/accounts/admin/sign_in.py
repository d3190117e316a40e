"""Signing in to the admin: the password, then the code of those who have one."""

from __future__ import annotations

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import login as sign_in
from django.contrib.auth import logout as sign_out
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from automate.accounts.admin.oidc import OidcPages
from automate.accounts.admin.second_factor import SecondFactorPages
from automate.accounts.models import User
from automate.accounts.sign_in import second_factor
from automate.accounts.sign_in.half import after_password, half_signed_in
from automate.accounts.sign_in.refusal import locked_out

WRONG_CODE = (
    "This is not the code that the app shows now. Each code is good once; after wrong "
    "ones wait a moment."
)


class FirstStep(LoginView):
    """The password. Who has a second factor is not signed in by it."""

    def form_valid(self, form: Any) -> HttpResponse:
        """On to the second step, or in."""
        user = form.get_user()
        if user.second_factor_since is None:
            return super().form_valid(form)
        after_password(self.request, user)
        query = urlencode({"next": self.get_success_url()})
        return redirect(f"{reverse('admin:second_step')}?{query}")


class SignInSite(SecondFactorPages, OidcPages, admin.AdminSite):
    """An admin site that asks those who have a second factor for it."""

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff who have given what they have, and have what they must."""
        return super().has_permission(request) and not self._lacks(request)

    def _lacks(self, request: HttpRequest) -> str:
        """Where somebody who is signed in must go first; "" for nowhere."""
        user = request.user
        if not isinstance(user, User) or not (user.is_active and user.is_staff):
            return ""
        if user.second_factor_since is None:
            missing = second_factor.is_missing(user)
            return reverse("admin:second_factor") if missing else ""
        verified = getattr(user, "otp_device", None) is not None
        return "" if verified else reverse("admin:second_step")

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Django's, the second step, the page of one's second factor, and the way to
        the identity provider and back."""
        return [
            path("login/oidc/", self.oidc, name="oidc"),
            path("login/oidc/back/", self.oidc_back, name="oidc_back"),
            path("login/code/", self.second_step, name="second_step"),
            path("second_factor/", self.second_factor, name="second_factor"),
            *super().get_urls(),
        ]

    @method_decorator(never_cache)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Sign in with an e-mail address and a password."""
        if request.method == "GET":
            if self.has_permission(request):
                return redirect("admin:index")
            if first := self._lacks(request):
                query = urlencode({"next": self._next(request)})
                return redirect(f"{first}?{query}")
        context = {
            **self.each_context(request),
            "title": "Log in",
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            "next": self._next(request),
            "oidc_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
            **(extra_context or {}),
        }
        request.current_app = self.name
        view = FirstStep.as_view(
            extra_context=context,
            authentication_form=AdminAuthenticationForm,
            template_name="admin/login.html",
            next_page="admin:index",
        )
        return view(request)

    @method_decorator(sensitive_post_parameters())
    @method_decorator(csrf_protect)
    @method_decorator(never_cache)
    def second_step(self, request: HttpRequest) -> HttpResponse:
        """Ask for the code of the app, or a recovery code."""
        user = half_signed_in(request)
        device = second_factor.device_of(user) if user else None
        if user is None or device is None:
            return redirect("admin:login")
        if "leave" in request.POST:
            sign_out(request)
            return redirect("admin:login")
        said = ""
        if request.method == "POST":
            tried = {"username": user.email}
            if not AxesProxyHandler.is_allowed(request, tried):
                return locked_out(request, None, tried)
            found = second_factor.check(user, device, request.POST.get("code", ""))
            if found is not None:
                user.otp_device = found  # type: ignore[attr-defined] # django-otp's
                sign_in(request, user, "django.contrib.auth.backends.ModelBackend")
                return HttpResponseRedirect(self._next(request))
            user_login_failed.send(sender=__name__, credentials=tried, request=request)
            said = WRONG_CODE
        context = {
            **self.each_context(request),
            "has_permission": False,
            "title": "The second step",
            "wrong": said,
            "next": self._next(request),
        }
        return TemplateResponse(request, "admin/second_step.html", context)

    def _next(self, request: HttpRequest) -> str:
        """Where to go afterwards: within this site, the overview by default."""
        wanted = request.POST.get("next") or request.GET.get("next") or ""
        fits = url_has_allowed_host_and_scheme(
            wanted, {request.get_host()}, require_https=request.is_secure()
        )
        return wanted if fits else reverse("admin:index")

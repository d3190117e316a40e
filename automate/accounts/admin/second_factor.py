"""The page on which a person sets up, renews and turns off the second factor."""

from __future__ import annotations

from typing import Any

import django_otp
from axes.handlers.proxy import AxesProxyHandler
from django.contrib import messages
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from automate.accounts.models import SecondFactor, User
from automate.accounts.sign_in import second_factor
from automate.accounts.sign_in.refusal import locked_out

WRONG = "This is not the code that the app shows now."


class SecondFactorPages:
    """Mixed into the admin site."""

    each_context: Any

    @method_decorator(sensitive_post_parameters())
    @method_decorator(csrf_protect)
    @method_decorator(never_cache)
    def second_factor(self, request: HttpRequest) -> HttpResponse:
        """What there is, and a button for each thing that can be done with it."""
        user = User.objects.filter(
            email=request.user.get_username(), is_active=True
        ).first()
        if user is None or not user.is_staff:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if user.second_factor_since is None:
            return self._set_up(request, user)
        if getattr(request.user, "otp_device", None) is None:
            return redirect("admin:second_step")
        return self._keep(request, user)

    def _set_up(self, request: HttpRequest, user: User) -> HttpResponse:
        """Begin, show the picture, confirm."""
        if "begin" in request.POST:
            second_factor.begin(user)
            return redirect("admin:second_factor")
        wrong = ""
        if "confirm" in request.POST:
            done = second_factor.confirm(user, request.POST.get("code", ""))
            if done is not None:
                device, codes = done
                request.session.cycle_key()
                django_otp.login(request, device)
                request.user.second_factor_since = user.second_factor_since  # type: ignore[union-attr]
                return self._page(request, device=device, codes=codes)
            wrong = WRONG
        waiting = second_factor.pending(user)
        shown: dict[str, Any] = {"required": second_factor.is_missing(user)}
        if waiting is not None:
            shown["picture"] = second_factor.picture(waiting)
            shown["secret"] = second_factor.secret_text(waiting)
        return self._page(request, wrong=wrong, **shown)

    def _keep(self, request: HttpRequest, user: User) -> HttpResponse:
        """Renew the recovery codes or turn it off, each with a code of the app."""
        device = second_factor.device_of(user)
        if request.method != "POST" or device is None:
            return self._page(request, device=device)
        tried = {"username": user.email}
        if not AxesProxyHandler.is_allowed(request, tried):
            return locked_out(request, None, tried)
        proven = second_factor.check(user, device, request.POST.get("code", ""))
        if proven is None:
            user_login_failed.send(sender=__name__, credentials=tried, request=request)
            return self._page(request, device=device, wrong=WRONG)
        if "off" in request.POST:
            second_factor.remove(user, by=user)
            messages.success(request, "The second factor is off.")
            return redirect("admin:second_factor")
        codes = second_factor.renew_recovery_codes(user, proven)
        return self._page(request, device=proven, codes=codes)

    def _page(
        self,
        request: HttpRequest,
        *,
        device: SecondFactor | None = None,
        **shown: Any,
    ) -> HttpResponse:
        context = {
            **self.each_context(request),
            "title": "Second factor",
            "device": device,
            "left": len(device.recovery) if device else 0,
            **shown,
        }
        return TemplateResponse(request, "admin/second_factor.html", context)

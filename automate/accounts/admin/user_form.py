"""The forms of people: their role as one choice, and nothing that one may not give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from automate.accounts.models import User
from automate.accounts.roles import ROLES, highest

if TYPE_CHECKING:
    _CreationForm = auth_forms.AdminUserCreationForm
    _ChangeForm = auth_forms.UserChangeForm[User]
else:
    _CreationForm = auth_forms.AdminUserCreationForm
    _ChangeForm = auth_forms.UserChangeForm

NO_ROLE = "no role"


def roles_from(user: User) -> list[str]:
    """The roles that this person may give: none that may do more than they may."""
    groups = Group.objects.filter(name__in=ROLES).prefetch_related(
        "permissions__content_type"
    )
    own = None if user.is_superuser else user.get_all_permissions()
    found = {
        group.name
        for group in groups
        if own is None
        or {
            f"{one.content_type.app_label}.{one.codename}"
            for one in group.permissions.all()
        }
        <= own
    }
    return [role for role in ROLES if role in found]


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose address nobody else has, with the role as one choice.

    `offered` are the roles that whoever fills it in may give.
    """

    offered: list[str] = []  # noqa: RUF012 - set on a class made for each request
    role = forms.ChoiceField(
        required=False,
        choices=(),
        help_text="What a person may do, with what their teams own and what is shared. "
        "With a role they may open this site.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.role_before = ""
        if not self.instance._state.adding:
            names = list(self.instance.groups.values_list("name", flat=True))
            self.role_before = highest(names) or ""
        role: Any = self.fields.get("role")
        if role is not None:
            known = dict.fromkeys([*self.offered, *filter(None, [self.role_before])])
            role.choices = [("", NO_ROLE), *((name, name) for name in known)]
            self.initial["role"] = self.role_before
        by_password: Any = self.fields.get("usable_password")
        if by_password is not None:
            by_password.label = "Signs in with a password"
            by_password.help_text = (
                "Disabled: nobody signs in as them; their API keys go on working."
            )
        groups: Any = self.fields.get("groups")
        if groups is not None:
            groups.queryset = groups.queryset.exclude(name__in=ROLES)
            groups.label = "Further groups"
            own = self.instance.groups.exclude(name__in=ROLES)
            self.initial["groups"] = list(own)

    def clean_email(self) -> str:
        """The address. Raises ValidationError when it is another person's."""
        email = User.objects.normalize_email(self.cleaned_data["email"])
        others = User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk)
        if others.exists():
            raise ValidationError("Somebody signs in with this address already.")
        return email

    def clean(self) -> dict[str, Any]:
        """With a new role comes the right to open the site."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("role") and data["role"] != self.role_before:
            data["is_staff"] = self.instance.is_staff = True
        return data

    def give_role(self) -> None:
        """Leave the person in the group of the chosen role and of no other role."""
        if "role" not in self.cleaned_data:
            return
        groups = self.instance.groups
        chosen = Group.objects.filter(name=self.cleaned_data["role"])
        groups.remove(*groups.filter(name__in=ROLES).difference(chosen))
        groups.add(*chosen)


class UserAddForm(PersonForm, _CreationForm):
    """A new person: address, name, role, teams and password."""

    class Meta:
        model = User
        fields = ("email", "name", "teams")


class UserChangeForm(PersonForm, _ChangeForm):
    """A person, without their password."""

    class Meta:
        model = User
        fields = (
            "email", "email_is_proven", "name", "teams", "is_active", "is_staff",
            "is_superuser", "groups", "user_permissions",
        )  # fmt: skip
        field_classes: dict[str, Any] = {}  # noqa: RUF012

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from casemate.accounts.models import User

LONGEST_PASSWORD = 256


def password_field(label: str, autocomplete: str, help_text: str = "") -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, strip=False, max_length=LONGEST_PASSWORD, help_text=help_text, widget=widget)


class SignInForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
        error_messages={"invalid": "Enter an e-mail address, such as name@example.org."},
    )
    password = password_field("Password", "current-password")


class EnrolmentPasswordForm(forms.Form):
    password = password_field("New password", "new-password", "A few unrelated words make a good one.")
    again = password_field("The same password again", "new-password")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self.user)
        return password

    def clean(self) -> dict[str, Any]:
        password, again = self.cleaned_data.get("password"), self.cleaned_data.get("again")
        if password and again and password != again:
            self.add_error("again", ValidationError("The two passwords are not the same."))
        return self.cleaned_data


class ChangePasswordForm(EnrolmentPasswordForm):
    """Whether the current one is right is not asked here: each try of it is counted."""

    current = password_field("Current password", "current-password")

    def clean(self) -> dict[str, Any]:
        current, password = self.cleaned_data.get("current"), self.cleaned_data.get("password")
        if current and password and current == password:
            self.add_error("password", ValidationError("That is what you gave as the current one: choose another."))
        return super().clean()


class CodeForm(forms.Form):
    wrong = "That code is wrong, or it was used already. Wait for the next one."

    code = forms.CharField(
        label="Code from your authenticator app",
        max_length=12,
        help_text="Six digits, new every 30 seconds.",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, "class": "code"}
        ),
    )

    def clean_code(self) -> str:
        """Apps show a code as `123 456`."""
        return "".join(self.cleaned_data["code"].split())


class BackupCodeForm(forms.Form):
    wrong = "That code is none of yours, or it was used already."

    code = forms.CharField(
        label="One of your backup codes",
        max_length=40,
        help_text="Twelve letters and digits, as you kept them. It opens once.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )

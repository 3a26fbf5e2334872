"""A person at a browser behind nginx: what the tests act through."""

import base64
import time
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django_otp.oath import TOTP

from casemate.accounts.models import TotpDevice, User

PASSWORD = "seven quiet otters row"
ADDRESS = "192.0.2.7"


def code_of(user: User, *, steps: int = 0) -> str:
    """The code that the person's app shows, `steps` half minutes from now."""
    device = TotpDevice.objects.get(user=user)
    return code_from(device.seed.reveal(), steps=steps)


def code_from(seed: str, *, steps: int = 0) -> str:
    totp = TOTP(base64.b32decode(seed))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06d}"


class Browser(Client):
    """Requests as gunicorn hands them on from nginx: over the unix socket, so without a peer address."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            enforce_csrf_checks=kwargs.pop("enforce_csrf_checks", False),
            raise_request_exception=kwargs.pop("raise_request_exception", True),
            SERVER_NAME="casemate.test",
            REMOTE_ADDR="",
            HTTP_X_REAL_IP=kwargs.pop("address", ADDRESS),
            HTTP_X_FORWARDED_PROTO="https",
            **kwargs,
        )

    def give_password(self, user: User, password: str = PASSWORD) -> HttpResponse:
        return self.post("/sign-in/", {"email": user.email, "password": password})

    def give_code(self, code: str) -> HttpResponse:
        return self.post("/sign-in/verify/", {"code": code})

    def sign_in(self, user: User, *, steps: int = 0) -> HttpResponse:
        self.give_password(user)
        return self.give_code(code_of(user, steps=steps))

"""A person at a browser behind nginx: what the tests act through."""

import base64
import time
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django_otp.oath import TOTP

from casemate.accounts.models import TotpDevice, User

PASSWORD = "seven quiet otters row"
NEW = "a lighthouse for nine herons"
ADDRESS = "192.0.2.7"
SITE = "https://casemate.test"


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


def enrolled_by(link: str, user: User) -> Browser:
    """A browser in which this person has set a new password and second factor, by the link that a command printed."""
    browser, path = Browser(), link.strip().removeprefix(SITE)
    assert browser.post(path, {"password": NEW, "again": NEW}).url == "/enrol/totp/"
    browser.get("/enrol/totp/")
    assert browser.post("/enrol/totp/", {"code": code_of(user)}).status_code == 200
    return browser

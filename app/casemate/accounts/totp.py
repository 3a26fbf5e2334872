"""The second factor: django-otp's arithmetic and throttle, with the seed in an encrypted field."""

import base64
import re
import secrets
import time
import uuid
from typing import ClassVar
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import models
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.oath import TOTP

from casemate.keyring.fields import EncryptedTextField
from casemate.keyring.scopes import INSTALLATION, Scope

SEED_BYTES = 20  # RFC 4226, section 4: 160 bits
STEP_SECONDS = 30
MOST_FAILURES = 9  # 256 s of waiting: who has stolen the password must not keep its owner out for days
TOLERANCE_STEPS = 1  # a clock may be 30 seconds off, either way


def new_seed() -> str:
    return base64.b32encode(secrets.token_bytes(SEED_BYTES)).decode()


class TotpDevice(TimestampMixin, ThrottlingMixin, Device):
    runtime_grants: ClassVar = {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()}
    encryption_scope: ClassVar[Scope] = INSTALLATION

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    seed = EncryptedTextField(purpose="totp-seed")
    # The time step of the last accepted code: that code and older ones are never accepted again.
    last_step = models.BigIntegerField(default=-1)

    class Meta(Device.Meta):
        constraints = (models.UniqueConstraint(fields=("user", "confirmed"), name="one_totp_device_a_person"),)

    def get_throttle_factor(self) -> int:
        """Seconds to wait after the first wrong code; it doubles with each further one, up to MOST_FAILURES."""
        return 1

    def seconds_to_wait(self) -> int:
        allowed, reason = self.verify_is_allowed()
        if allowed:
            return 0
        left: float = reason["locked_until"].timestamp() - time.time()
        return max(1, round(left))

    def accept(self, code: str) -> bool:
        """Whether this is a code of now that was not used before. Call with the row locked; save() afterwards."""
        totp = TOTP(base64.b32decode(self.seed.reveal()), step=STEP_SECONDS)
        accepted = re.fullmatch(r"[0-9]{6}", code) is not None and totp.verify(
            int(code), tolerance=TOLERANCE_STEPS, min_t=self.last_step + 1
        )
        if accepted:
            self.last_step = totp.t()
            self.set_last_used_timestamp(commit=False)
        self.count(right=bool(accepted))
        return bool(accepted)

    def count(self, *, right: bool) -> None:
        """A code of this, or one that stands in for it: after wrong ones there is a wait. save() afterwards."""
        if right:
            self.throttle_reset(commit=False)
        else:
            self.throttle_increment(commit=False)
            self.throttling_failure_count = min(self.throttling_failure_count, MOST_FAILURES)  # type: ignore[has-type]

    def uri(self, email: str) -> str:
        """For the authenticator app, which shows it as the site and the account."""
        issuer = f"Casemate {settings.SITE_NAME}"
        query = urlencode({"secret": self.seed.reveal(), "issuer": issuer}, quote_via=quote)
        return f"otpauth://totp/{quote(issuer)}:{quote(email)}?{query}"

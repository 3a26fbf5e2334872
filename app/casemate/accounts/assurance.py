"""How sure we are of who asks: the person, from where, and when they last gave their second factor."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from casemate.accounts.models import User
from casemate.audit.origin import Actor, Origin

SECOND_FACTOR = "second_factor"  # key of the session: when the second factor was right
CLOCKS_DIFFER = timedelta(minutes=1)  # two hosts of one installation, at the most


class StepUpRequired(Exception):
    """The second factor was given too long ago for this. A request that ends with it is sent to the step-up page."""


@dataclass(frozen=True)
class Assurance:
    user: User
    origin: Origin
    second_factor_at: datetime | None

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        if not isinstance(request.user, User):
            raise PermissionDenied
        given = request.session.get(SECOND_FACTOR)
        at = datetime.fromtimestamp(given, UTC) if given is not None else None
        return cls(user=request.user, origin=Origin.of(request), second_factor_at=at)

    @property
    def actor(self) -> Actor:
        return Actor.person(self.user)

    @property
    def fresh(self) -> bool:
        """A time that lies ahead is not fresh: a clock was set back."""
        if self.second_factor_at is None:
            return False
        return -CLOCKS_DIFFER <= datetime.now(UTC) - self.second_factor_at <= settings.STEP_UP_AGE

    def require_fresh(self) -> None:
        if not self.fresh:
            raise StepUpRequired
